// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {AgreementRegistry} from "../src/AgreementRegistry.sol";
import {Codes} from "../src/Codes.sol";
import {IAgreementRegistry} from "../src/IAgreementRegistry.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {Base, Wallet} from "./Base.sol";
import {Vm} from "./MiniTest.sol";

abstract contract AgreementBase is Base {
    string internal constant NAME = "ShuQing Agreement";
    string internal constant TYPE =
        "AgreementAct(bytes32 agreementId,bytes32 negotiationId,uint32 revision,uint8 act,uint8 fromState,uint8 toState,uint8 role,address signer,bytes32 signersHash,bytes32 termsSha256,bytes32 termsSm3,bytes32 actSha256,bytes32 actSm3,bytes32 prevActSha256,bytes32 prevActSm3,bytes32 groundSha256,bytes32 groundSm3,uint256 nonce,uint64 deadline)";
    uint256 internal constant PROVIDER = 0x1001;
    uint256 internal constant CONSUMER = 0x1002;
    uint256 internal constant COURT = 0x1003;
    AgreementRegistry internal registry;
    address private provider;
    address private consumer;

    // What the last act of each agreement was, for the next one to follow.
    mapping(bytes32 => IAgreementRegistry.Act) internal last;

    function setUp() public virtual override {
        super.setUp();
        (provider, consumer) = (vm.addr(PROVIDER), vm.addr(CONSUMER));
        registry = new AgreementRegistry(councilMembers(), 2, 1);
        decide(address(registry), NAME, Codes.ADD_AUTHORITY, word(vm.addr(COURT)), 0);
    }

    function refs() internal view returns (IAgreementRegistry.SignerRef[] memory pairs) {
        pairs = new IAgreementRegistry.SignerRef[](2);
        pairs[0] = IAgreementRegistry.SignerRef(Codes.ROLE_PROVIDER, provider);
        pairs[1] = IAgreementRegistry.SignerRef(Codes.ROLE_CONSUMER, consumer);
    }

    /// @dev The next act of an agreement, right in everything.
    function nextAct(bytes32 id, uint8 code, uint8 to) internal view returns (IAgreementRegistry.Act memory act) {
        IAgreementRegistry.Act memory before = last[id];
        act.agreementId = id;
        act.negotiationId = "negotiation";
        (act.act, act.fromState, act.toState) = (code, before.toState, to);
        act.signersHash = keccak256(abi.encode(refs()));
        act.revision = code == Codes.ACT_CONCLUDE ? 1 : before.revision + (code == Codes.ACT_AMEND ? 1 : 0);
        bool terms = code == Codes.ACT_CONCLUDE || code == Codes.ACT_AMEND;
        act.termsSha256 = terms ? keccak256(abi.encode("t", id, act.revision)) : before.termsSha256;
        act.termsSm3 = terms ? keccak256(abi.encode("u", id, act.revision)) : before.termsSm3;
        (act.prevActSha256, act.prevActSm3) = (before.actSha256, before.actSm3);
        act.actSha256 = keccak256(abi.encode("a", before.actSha256, code, to));
        act.actSm3 = keccak256(abi.encode("b", before.actSm3, code, to));
        (act.groundSha256, act.groundSm3) = ("ground", "ground");
        act.deadline = DEADLINE;
    }

    function structHash(IAgreementRegistry.Act memory a, uint8 role, address signer, uint256 nonce)
        internal
        pure
        returns (bytes32)
    {
        bytes memory first = abi.encode(
            keccak256(bytes(TYPE)), a.agreementId, a.negotiationId, a.revision, a.act, a.fromState, a.toState
        );
        bytes memory second =
            abi.encode(role, signer, a.signersHash, a.termsSha256, a.termsSm3, a.actSha256, a.actSm3);
        bytes memory third = abi.encode(
            a.prevActSha256, a.prevActSm3, a.groundSha256, a.groundSm3, nonce, a.deadline
        );
        return keccak256(abi.encodePacked(first, second, third));
    }

    function signed(IAgreementRegistry.Act memory act, uint8 role, address signer, uint256 key, uint256 nonce)
        internal
        view
        returns (IAgreementRegistry.Signer memory)
    {
        bytes32 digest = digestOn(address(registry), NAME, structHash(act, role, signer, nonce));
        return IAgreementRegistry.Signer(role, signer, nonce, sign(key, digest));
    }

    function both(IAgreementRegistry.Act memory act) internal returns (IAgreementRegistry.Signer[] memory list) {
        list = new IAgreementRegistry.Signer[](2);
        list[0] = signed(act, Codes.ROLE_PROVIDER, provider, PROVIDER, ++nextNonce);
        list[1] = signed(act, Codes.ROLE_CONSUMER, consumer, CONSUMER, ++nextNonce);
    }

    function onlyOne(IAgreementRegistry.Act memory act, uint256 who)
        internal
        returns (IAgreementRegistry.Signer[] memory list)
    {
        list = both(act);
        list[1 - who].signature = "";
    }

    function authority(IAgreementRegistry.Act memory act, uint256 key)
        internal
        returns (IAgreementRegistry.Signer[] memory list)
    {
        list = new IAgreementRegistry.Signer[](1);
        list[0] = signed(act, Codes.ROLE_AUTHORITY, vm.addr(key), key, ++nextNonce);
    }

    function signersFor(IAgreementRegistry.Act memory act) internal returns (IAgreementRegistry.Signer[] memory) {
        uint8 code = act.act;
        if (code == Codes.ACT_SUSPEND || code == Codes.ACT_RESUME || code == Codes.ACT_VOID) {
            return authority(act, COURT);
        }
        if (code == Codes.ACT_RESCIND || code == Codes.ACT_EXPIRE) return onlyOne(act, nextNonce % 2);
        return both(act);
    }

    function go(bytes32 id, uint8 code, uint8 to) internal {
        IAgreementRegistry.Act memory act = nextAct(id, code, to);
        registry.submit(act, signersFor(act));
        last[id] = act;
        IAgreementRegistry.Agreement memory stored = registry.agreement(id);
        assertEq(stored.state, to);
        assertEq(stored.revision, act.revision);
        assertEq(stored.signersHash, act.signersHash);
        assertEq(stored.termsCommitment, keccak256(abi.encode(act.termsSha256, act.termsSm3)));
        assertEq(stored.lastActCommitment, keccak256(abi.encode(act.actSha256, act.actSm3)));
        assertEq(stored.asOf, block.timestamp);
    }

    function refused(IAgreementRegistry.Act memory act, bytes memory why) internal {
        IAgreementRegistry.Signer[] memory list = signersFor(act);
        vm.expectRevert(why);
        registry.submit(act, list);
    }
}

contract AgreementRegistryTest is AgreementBase {
    function test_life__every_allowed_move() public {
        bytes32 id = "1";
        go(id, Codes.ACT_CONCLUDE, Codes.PENDING);
        go(id, Codes.ACT_ACTIVATE, Codes.EFFECTIVE);
        go(id, Codes.ACT_AMEND, Codes.EFFECTIVE);
        go(id, Codes.ACT_SUSPEND, Codes.SUSPENDED);
        go(id, Codes.ACT_AMEND, Codes.SUSPENDED);
        go(id, Codes.ACT_RESUME, Codes.EFFECTIVE);
        go(id, Codes.ACT_COMPLETE, Codes.COMPLETED);
        go(id, Codes.ACT_VOID, Codes.VOID);
        assertEq(registry.agreement(id).revision, 3);
        uint8[4] memory ends = [Codes.ACT_TERMINATE, Codes.ACT_RESCIND, Codes.ACT_COMPLETE, Codes.ACT_EXPIRE];
        uint8[4] memory states = [Codes.TERMINATED, Codes.RESCINDED, Codes.COMPLETED, Codes.EXPIRED];
        for (uint256 i = 0; i < 4; ++i) {
            id = bytes32(i + 10);
            go(id, Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
            go(id, ends[i], states[i]);
            go(id, Codes.ACT_VOID, Codes.VOID);
            id = bytes32(i + 20);
            go(id, Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
            go(id, Codes.ACT_SUSPEND, Codes.SUSPENDED);
            go(id, ends[i], states[i]);
        }
        go("30", Codes.ACT_CONCLUDE, Codes.PENDING);
        go("30", Codes.ACT_TERMINATE, Codes.TERMINATED);
        go("31", Codes.ACT_CONCLUDE, Codes.PENDING);
        go("31", Codes.ACT_VOID, Codes.VOID);
        go("32", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        go("32", Codes.ACT_VOID, Codes.VOID);
    }

    function test_submit__second_conclusion_or_wrong_state() public {
        go("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        IAgreementRegistry.Act memory act = nextAct("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        act.fromState = 0;
        refused(act, abi.encodeWithSelector(IAgreementRegistry.StateMismatch.selector, bytes32("1"), 0, 2));
        act = nextAct("1", Codes.ACT_RESUME, Codes.EFFECTIVE);
        act.fromState = Codes.SUSPENDED;
        refused(act, abi.encodeWithSelector(IAgreementRegistry.StateMismatch.selector, bytes32("1"), 3, 2));
        act = nextAct("1", 11, Codes.EFFECTIVE);
        refused(act, abi.encodeWithSelector(IAgreementRegistry.UnknownAct.selector, 11));
    }

    function test_submit__fields_missing() public {
        string[8] memory names = [
            "agreementId", "negotiationId", "termsSha256", "termsSm3", "actSha256", "actSm3", "groundSha256", "groundSm3"
        ];
        go("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        uint8[4] memory grounded = [Codes.ACT_SUSPEND, Codes.ACT_RESUME, Codes.ACT_VOID, Codes.ACT_RESCIND];
        for (uint256 k = 0; k < 4; ++k) {
            for (uint256 i = 0; i < 8; ++i) {
                IAgreementRegistry.Act memory act = nextAct("1", grounded[k], Codes.SUSPENDED);
                if (i == 0) act.agreementId = 0;
                if (i == 1) act.negotiationId = 0;
                if (i == 2) act.termsSha256 = 0;
                if (i == 3) act.termsSm3 = 0;
                if (i == 4) act.actSha256 = 0;
                if (i == 5) act.actSm3 = 0;
                if (i == 6) act.groundSha256 = 0;
                if (i == 7) act.groundSm3 = 0;
                refused(act, abi.encodeWithSelector(IAgreementRegistry.FieldMissing.selector, names[i]));
            }
        }
    }

    function test_submit__must_follow_the_last_act_revision_and_terms() public {
        IAgreementRegistry.Act memory act = nextAct("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        act.revision = 2;
        refused(act, abi.encodeWithSelector(IAgreementRegistry.RevisionMismatch.selector, 2, 1));
        act.revision = 1;
        act.prevActSm3 = "x";
        refused(act, abi.encodeWithSelector(IAgreementRegistry.PrevActMismatch.selector, bytes32("1")));
        go("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        for (uint256 i = 0; i < 2; ++i) {
            act = nextAct("1", Codes.ACT_TERMINATE, Codes.TERMINATED);
            if (i == 0) act.prevActSha256 = "x";
            else act.prevActSm3 = "x";
            refused(act, abi.encodeWithSelector(IAgreementRegistry.PrevActMismatch.selector, bytes32("1")));
            act = nextAct("1", Codes.ACT_TERMINATE, Codes.TERMINATED);
            if (i == 0) act.termsSha256 = "x";
            else act.termsSm3 = "x";
            refused(act, abi.encodeWithSelector(IAgreementRegistry.TermsMismatch.selector, bytes32("1")));
        }
        act = nextAct("1", Codes.ACT_AMEND, Codes.EFFECTIVE);
        act.revision = 1;
        refused(act, abi.encodeWithSelector(IAgreementRegistry.RevisionMismatch.selector, 1, 2));
        act.revision = 2;
        (act.termsSha256, act.termsSm3) = (last["1"].termsSha256, last["1"].termsSm3);
        refused(act, abi.encodeWithSelector(IAgreementRegistry.TermsMismatch.selector, bytes32("1")));
    }

    function test_submit__exactly_the_agreed_signers() public {
        IAgreementRegistry.Act memory act = nextAct("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        IAgreementRegistry.Signer[] memory list = both(act);
        bytes32 real = act.signersHash;
        act.signersHash = "x";
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.SignersMismatch.selector, bytes32("x"), real));
        registry.submit(act, list);
        act.signersHash = real;
        (list[0], list[1]) = (list[1], list[0]);
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.SignersNotSorted.selector, 1));
        registry.submit(act, list);
        list[0] = list[1];
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.SignersNotSorted.selector, 1));
        registry.submit(act, list);
        list = both(act);
        list[1].signer = list[0].signer;
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.SignerCount.selector, 1));
        registry.submit(act, list);
        list[1].signer = address(0);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidAddress.selector, 0));
        registry.submit(act, list);
        list = both(act);
        list[1].role = Codes.ROLE_AUTHORITY;
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.RoleNotAllowed.selector, Codes.ROLE_AUTHORITY));
        registry.submit(act, list);
        list = new IAgreementRegistry.Signer[](1);
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.SignerCount.selector, 1));
        registry.submit(act, list);
        list = new IAgreementRegistry.Signer[](17);
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.SignerCount.selector, 17));
        registry.submit(act, list);

        // Later acts: another consistent list of signers is still not the agreement's list.
        go("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        IAgreementRegistry.SignerRef[] memory pairs = refs();
        pairs[1].signer = vm.addr(0xE71);
        act = nextAct("1", Codes.ACT_AMEND, Codes.EFFECTIVE);
        act.signersHash = keccak256(abi.encode(pairs));
        list = both(act);
        list[1] = signed(act, Codes.ROLE_CONSUMER, vm.addr(0xE71), 0xE71, 9);
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.SignersMismatch.selector, act.signersHash, real));
        registry.submit(act, list);
    }

    function test_submit__one_signature_missing_or_foreign() public {
        IAgreementRegistry.Act memory act = nextAct("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        IAgreementRegistry.Signer[] memory list = onlyOne(act, 0);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(CONSUMER)));
        registry.submit(act, list);
        list[1] = signed(act, Codes.ROLE_CONSUMER, vm.addr(CONSUMER), PROVIDER, 7);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(CONSUMER)));
        registry.submit(act, list);
    }

    function test_submit__one_signer_acts__none_and_both_refused() public {
        uint8[2] memory codes = [Codes.ACT_RESCIND, Codes.ACT_EXPIRE];
        uint8[2] memory states = [Codes.RESCINDED, Codes.EXPIRED];
        go("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        for (uint256 i = 0; i < 2; ++i) {
            IAgreementRegistry.Act memory act = nextAct("1", codes[i], states[i]);
            IAgreementRegistry.Signer[] memory list = both(act);
            vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.OneSignatureExpected.selector, 2));
            registry.submit(act, list);
            (list[0].signature, list[1].signature) = (bytes(""), bytes(""));
            vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.OneSignatureExpected.selector, 0));
            registry.submit(act, list);
        }
    }

    function test_submit__authority_acts() public {
        go("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        IAgreementRegistry.Act memory act = nextAct("1", Codes.ACT_SUSPEND, Codes.SUSPENDED);
        IAgreementRegistry.Signer[] memory list = both(act);
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.OneSignatureExpected.selector, 2));
        registry.submit(act, list);
        list = authority(act, PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.NotAuthority.selector, vm.addr(PROVIDER)));
        registry.submit(act, list);
        list = authority(act, COURT);
        list[0].role = Codes.ROLE_PROVIDER;
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.RoleNotAllowed.selector, Codes.ROLE_PROVIDER));
        registry.submit(act, list);
        act.signersHash = "x";
        list = authority(act, COURT);
        bytes32 stored = registry.agreement("1").signersHash;
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.SignersMismatch.selector, bytes32("x"), stored));
        registry.submit(act, list);
        decide(address(registry), NAME, Codes.REMOVE_AUTHORITY, word(vm.addr(COURT)), 0);
        refused(
            nextAct("1", Codes.ACT_SUSPEND, Codes.SUSPENDED),
            abi.encodeWithSelector(IAgreementRegistry.NotAuthority.selector, vm.addr(COURT))
        );
        decideRefused(
            address(registry),
            NAME,
            Codes.REMOVE_AUTHORITY,
            word(vm.addr(COURT)),
            0,
            abi.encodeWithSelector(IAgreementRegistry.NotAuthority.selector, vm.addr(COURT))
        );
        decide(address(registry), NAME, Codes.ADD_AUTHORITY, word(vm.addr(COURT)), 0);
        decideRefused(
            address(registry),
            NAME,
            Codes.ADD_AUTHORITY,
            word(vm.addr(COURT)),
            0,
            abi.encodeWithSelector(IAgreementRegistry.AlreadyAuthority.selector, vm.addr(COURT))
        );
        decideRefused(
            address(registry),
            NAME,
            Codes.ADD_AGENCY,
            "x",
            word(address(1)),
            abi.encodeWithSelector(ICouncil.UnknownCouncilAct.selector, Codes.ADD_AGENCY)
        );
    }

    function test_replay__chain_contract_agreement_nonce_deadline() public {
        IAgreementRegistry.Act memory act = nextAct("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        IAgreementRegistry.Signer[] memory list = both(act);
        bytes memory invalid = abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(PROVIDER));
        AgreementRegistry other = new AgreementRegistry(councilMembers(), 2, 1);
        vm.expectRevert(invalid);
        other.submit(act, list);
        vm.chainId(4);
        vm.expectRevert(invalid);
        registry.submit(act, list);
        vm.chainId(31337);
        act.agreementId = "2";
        vm.expectRevert(invalid);
        registry.submit(act, list);
        act.agreementId = "1";
        act.deadline += 1;
        vm.expectRevert(invalid);
        registry.submit(act, list);
        act.deadline -= 1;
        list[0].nonce += 100;
        vm.expectRevert(invalid);
        registry.submit(act, list);
        list[0].nonce -= 100;
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
        registry.submit(act, list);
        vm.warp(START);
        registry.submit(act, list);
        vm.expectRevert(abi.encodeWithSelector(IAgreementRegistry.StateMismatch.selector, bytes32("1"), 0, 2));
        registry.submit(act, list);
        // A fresh act under a used nonce is refused although its signature is good.
        last["1"] = act;
        IAgreementRegistry.Act memory next = nextAct("1", Codes.ACT_TERMINATE, Codes.TERMINATED);
        IAgreementRegistry.Signer[] memory reused = both(next);
        reused[1] = signed(next, Codes.ROLE_CONSUMER, vm.addr(CONSUMER), CONSUMER, list[1].nonce);
        vm.expectRevert(
            abi.encodeWithSelector(ICouncil.NonceUsed.selector, vm.addr(CONSUMER), list[1].nonce)
        );
        registry.submit(next, reused);
    }

    function testFuzz_submit__any_digest_changed_after_signing(uint256 bit) public {
        IAgreementRegistry.Act memory act = nextAct("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        IAgreementRegistry.Signer[] memory list = both(act);
        bytes32 flip = bytes32(uint256(1) << (bit & 255));
        uint256 which = (bit >> 8) % 7;
        if (which == 0) act.negotiationId ^= flip;
        if (which == 1) act.termsSha256 ^= flip;
        if (which == 2) act.termsSm3 ^= flip;
        if (which == 3) act.actSha256 ^= flip;
        if (which == 4) act.actSm3 ^= flip;
        if (which == 5) act.groundSha256 ^= flip;
        if (which == 6) act.groundSm3 ^= flip;
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(PROVIDER)));
        registry.submit(act, list);
    }

    function test_wallet__accepts_and_refuses() public {
        Wallet wallet = new Wallet(vm.addr(0x3333));
        IAgreementRegistry.SignerRef[] memory pairs = refs();
        pairs[1].signer = address(wallet);
        IAgreementRegistry.Act memory act = nextAct("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
        act.signersHash = keccak256(abi.encode(pairs));
        IAgreementRegistry.Signer[] memory list = both(act);
        list[1] = signed(act, Codes.ROLE_CONSUMER, address(wallet), 0x4444, 5);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, address(wallet)));
        registry.submit(act, list);
        list[1] = signed(act, Codes.ROLE_CONSUMER, address(wallet), 0x3333, 5);
        wallet.refuse();
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, address(wallet)));
        registry.submit(act, list);
        wallet = new Wallet(vm.addr(0x3333));
        pairs[1].signer = address(wallet);
        act.signersHash = keccak256(abi.encode(pairs));
        list = both(act);
        list[1] = signed(act, Codes.ROLE_CONSUMER, address(wallet), 0x3333, 5);
        vm.recordLogs();
        registry.submit(act, list);
        assertEq(registry.agreement("1").state, Codes.EFFECTIVE);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1);
        assertEq(logs[0].topics[0], IAgreementRegistry.ActRecorded.selector);
        (IAgreementRegistry.Act memory told, IAgreementRegistry.Signer[] memory tellers, uint256 contracts) =
            abi.decode(logs[0].data, (IAgreementRegistry.Act, IAgreementRegistry.Signer[], uint256));
        assertEq(keccak256(abi.encode(told)), keccak256(abi.encode(act)));
        assertEq(keccak256(abi.encode(tellers)), keccak256(abi.encode(list)));
        assertEq(contracts, 2);
    }

    function test_pause__no_act() public {
        decide(address(registry), NAME, Codes.PAUSE, 0, 0);
        refused(
            nextAct("1", Codes.ACT_CONCLUDE, Codes.EFFECTIVE), abi.encodeWithSelector(Pausable.EnforcedPause.selector)
        );
    }
}
