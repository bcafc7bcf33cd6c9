// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Codes} from "../src/Codes.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {ISettlementBook} from "../src/ISettlementBook.sol";
import {SettlementBook} from "../src/SettlementBook.sol";
import {Base, Wallet} from "./Base.sol";

abstract contract BookBase is Base {
    string internal constant NAME = "ShuQing Settlement";
    string internal constant TYPE =
        "CycleClose(bytes32 operatorId,bytes32 cycle,bytes3 currency,bytes32 rootSha256,bytes32 rootSm3,bytes32 totalsCommitment,uint64 closedAt,address auditor,uint64 deadline)";
    bytes32 internal constant OPERATOR = "operator";
    uint256 internal constant OPERATOR_KEY = 0x2001;
    uint256 internal constant AUDITOR_KEY = 0x2002;
    SettlementBook internal book;

    function setUp() public virtual override {
        super.setUp();
        book = new SettlementBook(councilMembers(), 2, 1);
        decide(address(book), NAME, Codes.ADD_OPERATOR, OPERATOR, word(vm.addr(OPERATOR_KEY)));
        decide(address(book), NAME, Codes.ADD_AUDITOR, word(vm.addr(AUDITOR_KEY)), 0);
    }

    function cycle(bytes32 name) internal pure returns (ISettlementBook.Close memory) {
        return ISettlementBook.Close(
            OPERATOR, name, "CNY", "root", "root3", "totals", START, vm.addr(AUDITOR_KEY), DEADLINE
        );
    }

    function signature(uint256 key, ISettlementBook.Close memory c) internal view returns (bytes memory) {
        return sign(key, digestOn(address(book), NAME, keccak256(abi.encode(keccak256(bytes(TYPE)), c))));
    }

    function close(ISettlementBook.Close memory c) internal {
        book.close(c, signature(OPERATOR_KEY, c), signature(AUDITOR_KEY, c));
    }

    function refused(ISettlementBook.Close memory c, bytes memory why) internal {
        (bytes memory one, bytes memory two) = (signature(OPERATOR_KEY, c), signature(AUDITOR_KEY, c));
        vm.expectRevert(why);
        book.close(c, one, two);
    }
}

contract SettlementBookTest is BookBase {
    function test_close__once() public {
        ISettlementBook.Close memory c = cycle("2026-03");
        close(c);
        bytes32 commitment = keccak256(abi.encode(c.rootSha256, c.rootSm3, c.totalsCommitment, c.closedAt));
        assertEq(book.closed(OPERATOR, "2026-03", "CNY"), commitment);
        assertEq(book.closed(OPERATOR, "2026-04", "CNY"), 0);
        assertEq(book.closed(OPERATOR, "2026-03", "USD"), 0);
        bytes memory why =
            abi.encodeWithSelector(ISettlementBook.AlreadyClosed.selector, OPERATOR, bytes32("2026-03"), bytes3("CNY"));
        refused(c, why);
        c.rootSha256 = "other";
        refused(c, why);
        c.currency = "USD";
        close(c);
    }

    function test_close__incomplete() public {
        for (uint256 i = 0; i < 6; ++i) {
            ISettlementBook.Close memory c = cycle("c");
            if (i == 0) c.cycle = 0;
            if (i == 1) c.currency = 0;
            if (i == 2) c.rootSha256 = 0;
            if (i == 3) c.rootSm3 = 0;
            if (i == 4) c.totalsCommitment = 0;
            if (i == 5) c.closedAt = 0;
            refused(c, abi.encodeWithSelector(ISettlementBook.CloseIncomplete.selector));
        }
    }

    function test_close__both_must_sign() public {
        ISettlementBook.Close memory c = cycle("c");
        (bytes memory operator, bytes memory auditor) = (signature(OPERATOR_KEY, c), signature(AUDITOR_KEY, c));
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(AUDITOR_KEY)));
        book.close(c, operator, operator);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(OPERATOR_KEY)));
        book.close(c, auditor, auditor);
        c.auditor = vm.addr(OPERATOR_KEY);
        refused(c, abi.encodeWithSelector(ISettlementBook.NotAuditor.selector, vm.addr(OPERATOR_KEY)));
        c = cycle("c");
        c.operatorId = "none";
        refused(c, abi.encodeWithSelector(ISettlementBook.UnknownOperator.selector, bytes32("none")));
    }

    function test_close__time() public {
        ISettlementBook.Close memory c = cycle("c");
        c.closedAt = START + 901;
        refused(c, abi.encodeWithSelector(ICouncil.InstantInFuture.selector, START + 901, START));
        c = cycle("c");
        vm.warp(DEADLINE + 1);
        refused(c, abi.encodeWithSelector(ICouncil.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
    }

    function testFuzz_close__any_field_changed_after_signing(uint256 bit) public {
        ISettlementBook.Close memory c = cycle("c");
        (bytes memory operator, bytes memory auditor) = (signature(OPERATOR_KEY, c), signature(AUDITOR_KEY, c));
        bytes32 flip = bytes32(uint256(1) << (bit & 255));
        uint256 which = (bit >> 8) % 7;
        if (which == 0) c.cycle ^= flip;
        if (which == 1) c.currency ^= bytes3(uint24(1 << (bit % 24)));
        if (which == 2) c.rootSha256 ^= flip;
        if (which == 3) c.rootSm3 ^= flip;
        if (which == 4) c.totalsCommitment ^= flip;
        if (which == 5) c.closedAt -= 1 + uint64(bit % START) / 2;
        if (which == 6) c.deadline += 1 + uint64(bit % START);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(OPERATOR_KEY)));
        book.close(c, operator, auditor);
    }

    function test_close__signed_for_another_chain_or_book() public {
        ISettlementBook.Close memory c = cycle("c");
        (bytes memory operator, bytes memory auditor) = (signature(OPERATOR_KEY, c), signature(AUDITOR_KEY, c));
        bytes memory invalid = abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(OPERATOR_KEY));
        SettlementBook other = new SettlementBook(councilMembers(), 2, 1);
        decide(address(other), NAME, Codes.ADD_OPERATOR, OPERATOR, word(vm.addr(OPERATOR_KEY)));
        decide(address(other), NAME, Codes.ADD_AUDITOR, word(vm.addr(AUDITOR_KEY)), 0);
        vm.expectRevert(invalid);
        other.close(c, operator, auditor);
        vm.chainId(3);
        vm.expectRevert(invalid);
        book.close(c, operator, auditor);
    }

    function test_close__wallet_as_auditor() public {
        Wallet wallet = new Wallet(vm.addr(0x3333));
        decide(address(book), NAME, Codes.ADD_AUDITOR, word(address(wallet)), 0);
        ISettlementBook.Close memory c = cycle("c");
        c.auditor = address(wallet);
        bytes memory operator = signature(OPERATOR_KEY, c);
        bytes memory stranger = signature(0x4444, c);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, address(wallet)));
        book.close(c, operator, stranger);
        book.close(c, operator, signature(0x3333, c));
    }

    function test_pause__no_close() public {
        decide(address(book), NAME, Codes.PAUSE, 0, 0);
        refused(cycle("c"), abi.encodeWithSelector(Pausable.EnforcedPause.selector));
    }

    function test_council__registers_and_removes() public {
        address operator = vm.addr(OPERATOR_KEY);
        address auditor = vm.addr(AUDITOR_KEY);
        decideRefused(
            address(book),
            NAME,
            Codes.ADD_OPERATOR,
            OPERATOR,
            word(address(9)),
            abi.encodeWithSelector(ISettlementBook.OperatorExists.selector, OPERATOR)
        );
        decideRefused(
            address(book),
            NAME,
            Codes.ADD_OPERATOR,
            "two",
            word(auditor),
            abi.encodeWithSelector(ISettlementBook.KeyHasOtherRole.selector, auditor)
        );
        decideRefused(
            address(book),
            NAME,
            Codes.ADD_AUDITOR,
            word(operator),
            0,
            abi.encodeWithSelector(ISettlementBook.KeyHasOtherRole.selector, operator)
        );
        decideRefused(
            address(book),
            NAME,
            Codes.ADD_AUDITOR,
            word(auditor),
            0,
            abi.encodeWithSelector(ISettlementBook.AlreadyAuditor.selector, auditor)
        );
        decideRefused(
            address(book),
            NAME,
            Codes.REMOVE_AUDITOR,
            word(operator),
            0,
            abi.encodeWithSelector(ISettlementBook.NotAuditor.selector, operator)
        );
        decideRefused(
            address(book),
            NAME,
            Codes.REMOVE_OPERATOR,
            "two",
            0,
            abi.encodeWithSelector(ISettlementBook.UnknownOperator.selector, bytes32("two"))
        );
        decideRefused(
            address(book),
            NAME,
            Codes.ADD_AGENCY,
            "two",
            word(operator),
            abi.encodeWithSelector(ICouncil.UnknownCouncilAct.selector, Codes.ADD_AGENCY)
        );
        decide(address(book), NAME, Codes.REMOVE_AUDITOR, word(auditor), 0);
        refused(cycle("c"), abi.encodeWithSelector(ISettlementBook.NotAuditor.selector, auditor));
        decide(address(book), NAME, Codes.ADD_AUDITOR, word(auditor), 0);
        decide(address(book), NAME, Codes.REMOVE_OPERATOR, OPERATOR, 0);
        refused(cycle("c"), abi.encodeWithSelector(ISettlementBook.UnknownOperator.selector, OPERATOR));
        decide(address(book), NAME, Codes.ADD_AUDITOR, word(operator), 0);
    }
}
