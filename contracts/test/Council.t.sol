// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Codes} from "../src/Codes.sol";
import {EvidenceLog} from "../src/EvidenceLog.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {Base, Wallet} from "./Base.sol";

/// @dev The council acts that every contract has, on an EvidenceLog.
contract CouncilTest is Base {
    string private constant NAME = "ShuQing Log";
    EvidenceLog private log;
    uint256 private constant LOG_KEY = 0x106;

    function setUp() public override {
        super.setUp();
        log = new EvidenceLog(councilMembers(), 2, 1, vm.addr(LOG_KEY));
    }

    function head(uint64 size) private view returns (bytes memory) {
        return sign(
            LOG_KEY,
            digestOn(
                address(log),
                NAME,
                keccak256(
                    abi.encode(
                        keccak256("Head(uint64 size,bytes32 sha256Root,bytes32 sm3Root,uint64 time)"),
                        size,
                        bytes32("a"),
                        bytes32("b"),
                        START
                    )
                )
            )
        );
    }

    // --- construction ---

    function test_constructor__threshold_out_of_range() public {
        vm.expectRevert(abi.encodeWithSelector(ICouncil.ThresholdOutOfRange.selector, 0, 3));
        new EvidenceLog(councilMembers(), 0, 1, address(1));
        vm.expectRevert(abi.encodeWithSelector(ICouncil.ThresholdOutOfRange.selector, 4, 3));
        new EvidenceLog(councilMembers(), 4, 1, address(1));
    }

    function test_constructor__member_missing_or_twice() public {
        address[] memory list = councilMembers();
        list[1] = list[0];
        vm.expectRevert(abi.encodeWithSelector(ICouncil.AlreadyMember.selector, list[0]));
        new EvidenceLog(list, 2, 1, address(1));
        list[1] = address(0);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidAddress.selector, 0));
        new EvidenceLog(list, 2, 1, address(1));
    }

    function test_constructor__time_unit_must_give_a_plausible_year() public {
        vm.expectRevert(abi.encodeWithSelector(ICouncil.TimeUnitImplausible.selector, 1000, START));
        new EvidenceLog(councilMembers(), 2, 1000, address(1));
        vm.expectRevert(abi.encodeWithSelector(ICouncil.TimeUnitImplausible.selector, 60, START));
        new EvidenceLog(councilMembers(), 2, 60, address(1));
        vm.warp(uint256(START) * 1000);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.TimeUnitImplausible.selector, 1, uint256(START) * 1000));
        new EvidenceLog(councilMembers(), 2, 1, address(1));
        EvidenceLog milliseconds = new EvidenceLog(councilMembers(), 2, 1000, address(1));
        assertEq(milliseconds.nowSeconds(), START);
    }

    // --- decisions ---

    function test_decide__too_few_members() public {
        ICouncil.CouncilAct memory act = councilAct(Codes.PAUSE, 0, 0);
        ICouncil.MemberSignature[] memory one = councilSignatures(address(log), NAME, act, 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.TooFewMembers.selector, 1, 2));
        log.decide(act, one);
    }

    function test_decide__one_member_twice() public {
        ICouncil.CouncilAct memory act = councilAct(Codes.PAUSE, 0, 0);
        ICouncil.MemberSignature[] memory two = councilSignatures(address(log), NAME, act, 2);
        two[1] = two[0];
        vm.expectRevert(abi.encodeWithSelector(ICouncil.MembersNotAscending.selector, two[0].member));
        log.decide(act, two);
    }

    function test_decide__stranger_among_the_members() public {
        ICouncil.CouncilAct memory act = councilAct(Codes.PAUSE, 0, 0);
        ICouncil.MemberSignature[] memory three = councilSignatures(address(log), NAME, act, 3);
        three[2] = ICouncil.MemberSignature(
            address(type(uint160).max), sign(0xBAD, digestOn(address(log), NAME, councilHash(act)))
        );
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NotMember.selector, address(type(uint160).max)));
        log.decide(act, three);
    }

    function test_decide__any_bad_signature__all_refused() public {
        ICouncil.CouncilAct memory act = councilAct(Codes.PAUSE, 0, 0);
        ICouncil.MemberSignature[] memory three = councilSignatures(address(log), NAME, act, 3);
        three[2].signature = three[1].signature;
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, three[2].member));
        log.decide(act, three);
    }

    function testFuzz_decide__any_changed_field__refused(uint8 act, bytes32 subject, bytes32 value, uint64 more)
        public
    {
        ICouncil.CouncilAct memory signed = councilAct(act, subject, value);
        ICouncil.MemberSignature[] memory two = councilSignatures(address(log), NAME, signed, 2);
        ICouncil.CouncilAct[5] memory changed;
        for (uint256 i = 0; i < 5; ++i) {
            changed[i] = ICouncil.CouncilAct(act, subject, value, signed.nonce, DEADLINE);
        }
        changed[0].act = act ^ 1;
        changed[1].subject = ~subject;
        changed[2].value = ~value;
        changed[3].nonce += 1;
        changed[4].deadline = DEADLINE + 1 + (more >> 1);
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, two[0].member));
            log.decide(changed[i], two);
        }
    }

    function test_decide__late() public {
        ICouncil.CouncilAct memory act = councilAct(Codes.PAUSE, 0, 0);
        ICouncil.MemberSignature[] memory two = councilSignatures(address(log), NAME, act, 2);
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
        log.decide(act, two);
        vm.warp(DEADLINE);
        log.decide(act, two);
    }

    function test_decide__one_nonce_once() public {
        ICouncil.CouncilAct memory act = councilAct(Codes.PAUSE, 0, 0);
        log.decide(act, councilSignatures(address(log), NAME, act, 2));
        decide(address(log), NAME, Codes.UNPAUSE, 0, 0);
        ICouncil.MemberSignature[] memory again = councilSignatures(address(log), NAME, act, 3);
        assertTrue(log.councilNonceUsed(act.nonce), "nonce not remembered");
        assertTrue(!log.councilNonceUsed(act.nonce + 77), "another nonce is used, too");
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NonceUsed.selector, address(log), act.nonce));
        log.decide(act, again);
    }

    function test_decide__unknown_act() public {
        decideRefused(
            address(log),
            NAME,
            Codes.ADD_AGENCY,
            "x",
            word(address(1)),
            abi.encodeWithSelector(ICouncil.UnknownCouncilAct.selector, Codes.ADD_AGENCY)
        );
    }

    function test_decide__signed_for_another_contract_or_chain() public {
        EvidenceLog other = new EvidenceLog(councilMembers(), 2, 1, vm.addr(LOG_KEY));
        ICouncil.CouncilAct memory act = councilAct(Codes.PAUSE, 0, 0);
        ICouncil.MemberSignature[] memory two = councilSignatures(address(log), NAME, act, 2);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, two[0].member));
        other.decide(act, two);
        vm.chainId(99);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, two[0].member));
        log.decide(act, two);
    }

    function test_decide__contract_as_member() public {
        Wallet wallet = new Wallet(vm.addr(0xABC));
        address[] memory list = new address[](1);
        list[0] = address(wallet);
        EvidenceLog walleted = new EvidenceLog(list, 1, 1, vm.addr(LOG_KEY));
        ICouncil.CouncilAct memory act = councilAct(Codes.PAUSE, 0, 0);
        ICouncil.MemberSignature[] memory one = new ICouncil.MemberSignature[](1);
        one[0] = ICouncil.MemberSignature(
            address(wallet), sign(0xABC, digestOn(address(walleted), NAME, councilHash(act)))
        );
        walleted.decide(act, one);
        assertTrue(walleted.paused(), "not paused");
    }

    // --- pause, successor, members ---

    function test_pause__writes_stop_and_reads_go_on() public {
        log.anchor(1, "a", "b", START, head(1));
        decide(address(log), NAME, Codes.PAUSE, 0, 0);
        bytes memory signature = head(2);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        log.anchor(2, "a", "b", START, signature);
        assertEq(log.latestSize(), 1);
        assertTrue(log.commitmentAt(1) != 0, "head gone");
        decideRefused(
            address(log), NAME, Codes.PAUSE, 0, 0, abi.encodeWithSelector(Pausable.EnforcedPause.selector)
        );
        decide(address(log), NAME, Codes.UNPAUSE, 0, 0);
        log.anchor(2, "a", "b", START, signature);
        decideRefused(
            address(log), NAME, Codes.UNPAUSE, 0, 0, abi.encodeWithSelector(Pausable.ExpectedPause.selector)
        );
    }

    function test_successor__a_contract__once() public {
        bytes memory noCode = abi.encodeWithSelector(ICouncil.InvalidAddress.selector, word(address(0x123)));
        decideRefused(address(log), NAME, Codes.NAME_SUCCESSOR, 0, word(address(0x123)), noCode);
        bytes memory itself = abi.encodeWithSelector(ICouncil.InvalidAddress.selector, word(address(log)));
        decideRefused(address(log), NAME, Codes.NAME_SUCCESSOR, 0, word(address(log)), itself);
        bytes32 dirty = word(address(this)) | bytes32(uint256(1) << 200);
        decideRefused(
            address(log),
            NAME,
            Codes.NAME_SUCCESSOR,
            0,
            dirty,
            abi.encodeWithSelector(ICouncil.InvalidAddress.selector, dirty)
        );
        decide(address(log), NAME, Codes.NAME_SUCCESSOR, 0, word(address(this)));
        assertEq(log.successor(), address(this));
        decideRefused(
            address(log),
            NAME,
            Codes.NAME_SUCCESSOR,
            0,
            word(address(this)),
            abi.encodeWithSelector(ICouncil.SuccessorAlreadyNamed.selector, address(this))
        );
    }

    function test_member__replaced__the_old_one_counts_no_more() public {
        address leaving = vm.addr(councilKeys[0]);
        decideRefused(
            address(log),
            NAME,
            Codes.REPLACE_MEMBER,
            word(leaving),
            word(vm.addr(councilKeys[1])),
            abi.encodeWithSelector(ICouncil.AlreadyMember.selector, vm.addr(councilKeys[1]))
        );
        decideRefused(
            address(log),
            NAME,
            Codes.REPLACE_MEMBER,
            word(address(5)),
            word(address(6)),
            abi.encodeWithSelector(ICouncil.NotMember.selector, address(5))
        );
        decide(address(log), NAME, Codes.REPLACE_MEMBER, word(leaving), word(address(6)));
        assertEq(log.members()[0], address(6));
        assertEq(log.members().length, 3);
        decideRefused(
            address(log), NAME, Codes.PAUSE, 0, 0, abi.encodeWithSelector(ICouncil.NotMember.selector, leaving)
        );
    }

    // --- nonces and the hash ---

    function cancelSignature(uint256 key, address signer, uint256 nonce, uint64 deadline)
        private
        view
        returns (bytes memory)
    {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256("CancelNonce(address signer,uint256 nonce,uint64 deadline)"), signer, nonce, deadline
            )
        );
        return sign(key, digestOn(address(log), NAME, hash));
    }

    function testFuzz_cancelNonce__only_its_signer_only_once(uint256 nonce) public {
        address signer = vm.addr(0x51);
        bytes memory good = cancelSignature(0x51, signer, nonce, DEADLINE);
        bytes memory bad = cancelSignature(0x52, signer, nonce, DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, signer));
        log.cancelNonce(signer, nonce, DEADLINE, bad);
        log.cancelNonce(signer, nonce, DEADLINE, good);
        assertTrue(log.nonceUsed(signer, nonce), "not used");
        assertTrue(!log.nonceUsed(signer, nonce ^ 1), "neighbour used");
        assertTrue(!log.nonceUsed(signer, nonce ^ 256), "other word used");
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NonceUsed.selector, signer, nonce));
        log.cancelNonce(signer, nonce, DEADLINE, good);
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
        log.cancelNonce(signer, nonce, DEADLINE, good);
    }

    function test_keccakOf__nothing() public view {
        assertEq(log.keccakOf(""), 0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470);
    }
}
