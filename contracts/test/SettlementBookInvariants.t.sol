// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Codes} from "../src/Codes.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {ISettlementBook} from "../src/ISettlementBook.sol";
import {SettlementBook} from "../src/SettlementBook.sol";
import {Tally} from "./Base.sol";
import {FuzzSelector} from "./MiniTest.sol";
import {BookBase} from "./SettlementBook.t.sol";

/// @dev Closes cycle after cycle with totals that the book only sees as commitments; offers second closes and forged
///      ones, which must be refused; and lets the council act.
contract BookHandler is BookBase, Tally {
    struct Totals {
        uint64 paidIn;
        uint64 paidOut;
        uint64 kept;
    }

    ISettlementBook.Close[] private closes;
    Totals[] public totals;
    uint256 public sumIn;
    uint256 public sumOut;

    constructor() {
        setUp();
    }

    function theBook() external view returns (SettlementBook) {
        return book;
    }

    function count() external view returns (uint256) {
        return closes.length;
    }

    function settle(uint64 paidIn, uint64 part, bytes32 root, bool dollars) external {
        Totals memory t = Totals(paidIn, paidIn == 0 ? 0 : part % paidIn, 0);
        t.kept = t.paidIn - t.paidOut;
        ISettlementBook.Close memory c = cycle(bytes32(closes.length + 1));
        c.currency = dollars ? bytes3("USD") : bytes3("CNY");
        c.rootSha256 = root | bytes32(uint256(1));
        c.totalsCommitment = keccak256(abi.encode(t));
        close(c);
        closes.push(c);
        totals.push(t);
        (sumIn, sumOut) = (sumIn + t.paidIn, sumOut + t.paidOut + t.kept);
        ++lawful;
    }

    function hostile(uint256 pick, uint8 way) external {
        ISettlementBook.Close memory c = cycle("new");
        (uint256 first, uint256 second) = (OPERATOR_KEY, AUDITOR_KEY);
        if (way % 4 == 0) {
            if (closes.length == 0) return idle();
            c = closes[pick % closes.length];
            c.totalsCommitment = bytes32(pick | 1);
        }
        if (way % 4 == 1) first = AUDITOR_KEY;
        if (way % 4 == 2) second = OPERATOR_KEY;
        if (way % 4 == 3) (first, second) = (councilKeys[0], councilKeys[1]);
        (bytes memory one_, bytes memory two) = (signature(first, c), signature(second, c));
        try book.close(c, one_, two) {
            broken = true;
        } catch {
            ++unlawful;
        }
    }

    /// @dev Without its auditor, or its operator, nothing is closed; the council puts them back.
    function dismiss(bool auditor) external {
        bytes32 before = everything();
        bytes32 key = word(vm.addr(auditor ? AUDITOR_KEY : OPERATOR_KEY));
        if (auditor) decide(address(book), NAME, Codes.REMOVE_AUDITOR, key, 0);
        else decide(address(book), NAME, Codes.REMOVE_OPERATOR, OPERATOR, 0);
        mustRefuse();
        if (auditor) decide(address(book), NAME, Codes.ADD_AUDITOR, key, 0);
        else decide(address(book), NAME, Codes.ADD_OPERATOR, OPERATOR, key);
        if (everything() != before) broken = true;
        ++lawful;
    }

    /// @dev Any council act with enough signatures: no close changes by it. A pause is lifted at once, after a look that it
    ///      holds; a member is replaced by one whose key we know.
    function council(uint8 code, bytes32 subject, bytes32 value) external {
        ICouncil.CouncilAct memory act = councilAct(code % 40, subject, value);
        // `dismiss` removes, and puts back.
        if (act.act == Codes.REMOVE_OPERATOR || act.act == Codes.REMOVE_AUDITOR) act.subject = bytes32(uint256(1));
        bytes32 before = everything();
        if (act.act == Codes.REPLACE_MEMBER) {
            if (!replaceMember(address(book), NAME, code % 3, 0x10000 + uint256(uint128(uint256(value))))) return idle();
            ++lawful;
            if (everything() != before) broken = true;
            return;
        }
        try book.decide(act, councilSignatures(address(book), NAME, act, 2)) {
            ++lawful;
        } catch {
            ++unlawful;
        }
        if (book.paused()) {
            mustRefuse();
            decide(address(book), NAME, Codes.UNPAUSE, 0, 0);
        }
        if (everything() != before) broken = true;
    }

    /// @dev The totals behind the i-th close open what the book holds of it, and balance.
    function check(uint256 i) public view returns (uint256 paidIn, uint256 paidOut) {
        ISettlementBook.Close memory c = closes[i];
        Totals memory t = totals[i];
        bytes32 commitment =
            keccak256(abi.encode(c.rootSha256, c.rootSm3, keccak256(abi.encode(t)), c.closedAt));
        assertEq(book.closed(OPERATOR, c.cycle, c.currency), commitment);
        assertEq(book.closed(OPERATOR, c.cycle, c.currency == "CNY" ? bytes3("USD") : bytes3("CNY")), 0);
        return (t.paidIn, uint256(t.paidOut) + t.kept);
    }

    function mustRefuse() private {
        ISettlementBook.Close memory c = cycle("new");
        (bytes memory one_, bytes memory two) = (signature(OPERATOR_KEY, c), signature(AUDITOR_KEY, c));
        try book.close(c, one_, two) {
            broken = true;
        } catch {}
    }

    function everything() private view returns (bytes32) {
        bytes32 lastCycle = bytes32(closes.length);
        return keccak256(
            abi.encode(
                book.closed(OPERATOR, lastCycle, "CNY"),
                book.closed(OPERATOR, lastCycle, "USD"),
                book.closed(OPERATOR, bytes32(closes.length + 1), "CNY"),
                book.operatorKey(OPERATOR)
            )
        );
    }
}

contract SettlementBookInvariants is BookBase {
    BookHandler private handler;

    function setUp() public override {
        vm.warp(START);
        handler = new BookHandler();
    }

    function targetContracts() public view returns (address[] memory) {
        return one(address(handler));
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory) {
        return setUpOf(address(handler));
    }

    /// @dev A cycle closes once, under both signatures, and stays. After a run: what all closes commit to is exactly
    ///      what was paid in and out.
    function invariant_a_cycle_closes_once_and_its_totals_stay() public view {
        assertTrue(!handler.broken(), "a close that must not pass has passed");
        uint256 count = handler.count();
        assertEq(handler.theBook().closed(OPERATOR, bytes32(count + 1), "CNY"), 0);
        if (count == 0) return;
        handler.check(count - 1);
        handler.check(uint256(keccak256(abi.encode(handler.lawful(), handler.unlawful()))) % count);
    }

    function afterInvariant() external view {
        (uint256 sumIn, uint256 sumOut) = (0, 0);
        for (uint256 i = 0; i < handler.count(); ++i) {
            (uint256 paidIn, uint256 paidOut) = handler.check(i);
            (sumIn, sumOut) = (sumIn + paidIn, sumOut + paidOut);
        }
        assertEq(sumIn, handler.sumIn());
        assertEq(sumOut, handler.sumOut());
        assertEq(sumIn, sumOut);
        handler.sayShares();
    }
}
