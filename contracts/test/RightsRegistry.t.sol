// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Codes} from "../src/Codes.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {IRightsRegistry} from "../src/IRightsRegistry.sol";
import {RightsRegistry} from "../src/RightsRegistry.sol";
import {Base, Wallet} from "./Base.sol";

abstract contract RightsBase is Base {
    string internal constant NAME = "ShuQing Rights";
    bytes32 internal constant AGENCY = "agency";
    uint256 internal constant AGENCY_KEY = 0xA6E;
    uint32 internal constant FROM = uint32(START);
    uint32 internal constant UNTIL = uint32(START) + 1_000_000;
    RightsRegistry internal registry;

    function setUp() public virtual override {
        super.setUp();
        registry = new RightsRegistry(councilMembers(), 2, 1);
        decide(address(registry), NAME, Codes.ADD_AGENCY, AGENCY, word(vm.addr(AGENCY_KEY)));
    }

    function entry(bytes32 code, uint32 version) internal pure returns (IRightsRegistry.Entry memory e) {
        (e.code, e.paperType, e.version, e.validFrom, e.validUntil) = (code, 1, version, FROM, UNTIL);
        e.factSha256 = keccak256(abi.encode("sha", code, version));
        e.factSm3 = keccak256(abi.encode("sm3", code, version));
    }

    function succeeding(IRightsRegistry.Entry memory e, bytes32 code, uint32 version, uint8 status, uint32 from)
        internal
        pure
        returns (IRightsRegistry.Entry memory)
    {
        (e.predecessorCode, e.predecessorPaperType, e.predecessorVersion, e.predecessorStatus) =
            (code, 1, version, status);
        (e.validFrom, e.validUntil) = (from, from + 1_000_000);
        return e;
    }

    function keyOf(bytes32 code, uint32 version) internal pure returns (bytes32) {
        return keccak256(abi.encode(AGENCY, uint8(1), code, version));
    }

    function list(IRightsRegistry.Entry memory a) internal pure returns (IRightsRegistry.Entry[] memory entries) {
        entries = new IRightsRegistry.Entry[](1);
        entries[0] = a;
    }

    function list(IRightsRegistry.Entry memory a, IRightsRegistry.Entry memory b)
        internal
        pure
        returns (IRightsRegistry.Entry[] memory entries)
    {
        entries = new IRightsRegistry.Entry[](2);
        (entries[0], entries[1]) = (a, b);
    }

    function batchSignature(uint256 key, bytes32 agencyId, IRightsRegistry.Entry[] memory entries, uint256 nonce)
        internal
        view
        returns (bytes memory)
    {
        bytes32 typeHash =
            keccak256("DepositBatch(bytes32 agencyId,bytes32 entriesHash,uint256 nonce,uint64 deadline)");
        bytes32 hash =
            keccak256(abi.encode(typeHash, agencyId, keccak256(abi.encode(entries)), nonce, DEADLINE));
        return sign(key, digestOn(address(registry), NAME, hash));
    }

    function deposit(IRightsRegistry.Entry[] memory entries) internal {
        uint256 nonce = ++nextNonce;
        registry.deposit(AGENCY, entries, nonce, DEADLINE, batchSignature(AGENCY_KEY, AGENCY, entries, nonce));
    }

    function depositRefused(IRightsRegistry.Entry[] memory entries, bytes memory why) internal {
        uint256 nonce = ++nextNonce;
        bytes memory signature = batchSignature(AGENCY_KEY, AGENCY, entries, nonce);
        vm.expectRevert(why);
        registry.deposit(AGENCY, entries, nonce, DEADLINE, signature);
    }

    function change(bytes32 code, uint8 status, bool encumbered, bool objection)
        internal
        pure
        returns (IRightsRegistry.StatusChange[] memory changes)
    {
        changes = new IRightsRegistry.StatusChange[](1);
        changes[0] = IRightsRegistry.StatusChange(code, 1, 1, status, encumbered, objection);
    }

    function statusSignature(
        uint256 key,
        bytes32 agencyId,
        IRightsRegistry.StatusChange[] memory changes,
        uint64 at,
        uint256 nonce
    ) internal view returns (bytes memory) {
        bytes32 typeHash = keccak256(
            "StatusBatch(bytes32 agencyId,bytes32 changesHash,uint64 effectiveAt,uint256 nonce,uint64 deadline)"
        );
        bytes32 hash =
            keccak256(abi.encode(typeHash, agencyId, keccak256(abi.encode(changes)), at, nonce, DEADLINE));
        return sign(key, digestOn(address(registry), NAME, hash));
    }

    function setStatus(IRightsRegistry.StatusChange[] memory changes, uint64 at) internal {
        uint256 nonce = ++nextNonce;
        registry.setStatus(
            AGENCY, changes, at, nonce, DEADLINE, statusSignature(AGENCY_KEY, AGENCY, changes, at, nonce)
        );
    }

    function setStatusRefused(IRightsRegistry.StatusChange[] memory changes, uint64 at, bytes memory why) internal {
        uint256 nonce = ++nextNonce;
        bytes memory signature = statusSignature(AGENCY_KEY, AGENCY, changes, at, nonce);
        vm.expectRevert(why);
        registry.setStatus(AGENCY, changes, at, nonce, DEADLINE, signature);
    }

    function assertAnswer(bytes32 key, uint64 instant, uint8 code, uint8 reason) internal view {
        IRightsRegistry.Answer memory answer = registry.inForceAt(key, instant);
        assertEq(answer.code, code);
        assertEq(answer.reason, reason);
        assertEq(answer.asOf, block.timestamp);
    }
}

contract RightsRegistryTest is RightsBase {
    // --- deposit ---

    function test_deposit__everything_reads_back() public {
        deposit(list(entry("A", 1), entry("B", 1)));
        IRightsRegistry.Certificate memory c = registry.certificate(keyOf("B", 1));
        IRightsRegistry.Entry memory e = entry("B", 1);
        bytes32 commitment = keccak256(abi.encode(e.factSha256, e.factSm3, keyOf("B", 1), FROM, UNTIL));
        assertEq(bytes32(c.commitment), bytes32(bytes20(commitment)));
        assertEq(c.validFrom, FROM);
        assertEq(c.validUntil, UNTIL);
        assertEq(c.index, 1);
        assertEq(c.status, Codes.STATUS_VALID);
        assertEq(c.changedAt, 0);
        assertEq(c.predecessor, 0);
        assertEq(registry.count(), 2);
        assertEq(registry.certificateKey(AGENCY, 1, "B", 1), keyOf("B", 1));
        assertTrue(registry.matches(keyOf("B", 1), e.factSha256, e.factSm3), "match");
        assertTrue(!registry.matches(keyOf("B", 1), e.factSm3, e.factSha256), "swapped");
        assertTrue(!registry.matches(keyOf("A", 1), e.factSha256, e.factSm3), "other certificate");
        assertTrue(!registry.matches("nothing", e.factSha256, e.factSm3), "unknown");
        assertEq(registry.certificate("nothing").status, 0);
    }

    function test_deposit__twice__with_same_or_other_content__refused() public {
        deposit(list(entry("A", 1)));
        bytes memory why = abi.encodeWithSelector(IRightsRegistry.AlreadyDeposited.selector, keyOf("A", 1));
        depositRefused(list(entry("A", 1)), why);
        IRightsRegistry.Entry memory other = entry("A", 1);
        other.factSha256 = "other";
        depositRefused(list(other), why);
        depositRefused(
            list(entry("B", 1), entry("B", 1)),
            abi.encodeWithSelector(IRightsRegistry.AlreadyDeposited.selector, keyOf("B", 1))
        );
        assertEq(registry.count(), 1);
    }

    function test_deposit__incomplete_or_inverted() public {
        depositRefused(
            new IRightsRegistry.Entry[](0), abi.encodeWithSelector(IRightsRegistry.EmptyBatch.selector)
        );
        for (uint256 i = 0; i < 8; ++i) {
            IRightsRegistry.Entry memory e = entry("B", 1);
            if (i == 0) e.code = 0;
            if (i == 1) e.version = 0;
            if (i == 2) e.factSha256 = 0;
            if (i == 3) e.factSm3 = 0;
            if (i == 4) e.validFrom = 0;
            if (i == 5) e.predecessorPaperType = 1;
            if (i == 6) e.predecessorVersion = 1;
            if (i == 7) e.predecessorStatus = Codes.STATUS_SUPERSEDED;
            depositRefused(
                list(entry("A", 1), e), abi.encodeWithSelector(IRightsRegistry.EntryIncomplete.selector, 1)
            );
        }
        IRightsRegistry.Entry memory inverted = entry("A", 1);
        inverted.validUntil = inverted.validFrom;
        depositRefused(
            list(inverted), abi.encodeWithSelector(IRightsRegistry.ValidityInverted.selector, 0, FROM, FROM)
        );
    }

    function test_deposit__not_the_agencys_signature() public {
        IRightsRegistry.Entry[] memory entries = list(entry("A", 1));
        bytes memory signature = batchSignature(0xBAD, AGENCY, entries, 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(AGENCY_KEY)));
        registry.deposit(AGENCY, entries, 1, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(IRightsRegistry.UnknownAgency.selector, bytes32("none")));
        registry.deposit("none", entries, 1, DEADLINE, signature);
        decide(address(registry), NAME, Codes.ADD_AGENCY, "two", word(vm.addr(0x2)));
        signature = batchSignature(AGENCY_KEY, AGENCY, entries, 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(0x2)));
        registry.deposit("two", entries, 1, DEADLINE, signature);
    }

    function testFuzz_deposit__one_bit_of_one_entry_changed(uint256 bit) public {
        IRightsRegistry.Entry[] memory entries = list(entry("A", 1), entry("B", 1));
        bytes memory signature = batchSignature(AGENCY_KEY, AGENCY, entries, 1);
        uint256 field = (bit >> 8) % 3;
        if (field == 0) entries[1].factSha256 ^= bytes32(1 << (bit & 255));
        if (field == 1) entries[1].factSm3 ^= bytes32(1 << (bit & 255));
        if (field == 2) entries[1].code ^= bytes32(1 << (bit & 255));
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(AGENCY_KEY)));
        registry.deposit(AGENCY, entries, 1, DEADLINE, signature);
    }

    function test_deposit__replayed_elsewhere_later_or_again() public {
        IRightsRegistry.Entry[] memory entries = list(entry("A", 1));
        bytes memory signature = batchSignature(AGENCY_KEY, AGENCY, entries, 9);
        bytes memory invalid = abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(AGENCY_KEY));
        RightsRegistry other = new RightsRegistry(councilMembers(), 2, 1);
        decide(address(other), NAME, Codes.ADD_AGENCY, AGENCY, word(vm.addr(AGENCY_KEY)));
        vm.expectRevert(invalid);
        other.deposit(AGENCY, entries, 9, DEADLINE, signature);
        vm.expectRevert(invalid);
        registry.deposit(AGENCY, entries, 8, DEADLINE, signature);
        vm.expectRevert(invalid);
        registry.deposit(AGENCY, entries, 9, DEADLINE + 1, signature);
        vm.chainId(5);
        vm.expectRevert(invalid);
        registry.deposit(AGENCY, entries, 9, DEADLINE, signature);
        vm.chainId(31337);
        registry.deposit(AGENCY, entries, 9, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NonceUsed.selector, vm.addr(AGENCY_KEY), 9));
        registry.deposit(AGENCY, entries, 9, DEADLINE, signature);
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
        registry.deposit(AGENCY, entries, 9, DEADLINE, signature);
    }

    function test_deposit__contract_as_agency() public {
        Wallet wallet = new Wallet(vm.addr(0xABC));
        decide(address(registry), NAME, Codes.ADD_AGENCY, "w", word(address(wallet)));
        IRightsRegistry.Entry[] memory entries = list(entry("A", 1));
        registry.deposit("w", entries, 1, DEADLINE, batchSignature(0xABC, "w", entries, 1));
        wallet.refuse();
        entries[0].code = "B";
        bytes memory signature = batchSignature(0xABC, "w", entries, 2);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, address(wallet)));
        registry.deposit("w", entries, 2, DEADLINE, signature);
    }

    // --- agencies ---

    function test_agency__council_adds_and_suspends__never_replaces_a_key() public {
        decideRefused(
            address(registry),
            NAME,
            Codes.ADD_AGENCY,
            AGENCY,
            word(address(7)),
            abi.encodeWithSelector(IRightsRegistry.AgencyExists.selector, AGENCY)
        );
        decideRefused(
            address(registry),
            NAME,
            Codes.SUSPEND_AGENCY,
            "none",
            0,
            abi.encodeWithSelector(IRightsRegistry.UnknownAgency.selector, bytes32("none"))
        );
        decideRefused(
            address(registry),
            NAME,
            Codes.RESUME_AGENCY,
            AGENCY,
            0,
            abi.encodeWithSelector(IRightsRegistry.AgencyNotSuspended.selector, AGENCY)
        );
        deposit(list(entry("A", 1)));
        decide(address(registry), NAME, Codes.SUSPEND_AGENCY, AGENCY, 0);
        bytes memory suspended = abi.encodeWithSelector(IRightsRegistry.AgencySuspended.selector, AGENCY);
        decideRefused(address(registry), NAME, Codes.SUSPEND_AGENCY, AGENCY, 0, suspended);
        depositRefused(list(entry("B", 1)), suspended);
        setStatusRefused(change("A", Codes.STATUS_CANCELLED, false, false), START, suspended);
        assertAnswer(keyOf("A", 1), START, Codes.IN_FORCE, Codes.REASON_VALID);
        decide(address(registry), NAME, Codes.RESUME_AGENCY, AGENCY, 0);
        deposit(list(entry("B", 1)));
        decideRefused(
            address(registry),
            NAME,
            Codes.ADD_AUDITOR,
            AGENCY,
            0,
            abi.encodeWithSelector(ICouncil.UnknownCouncilAct.selector, Codes.ADD_AUDITOR)
        );
    }

    function rotation(uint256 key, address newKey, uint256 nonce) private view returns (bytes memory) {
        bytes32 typeHash =
            keccak256("RotateAgencyKey(bytes32 agencyId,address newKey,uint256 nonce,uint64 deadline)");
        bytes32 hash = keccak256(abi.encode(typeHash, AGENCY, newKey, nonce, DEADLINE));
        return sign(key, digestOn(address(registry), NAME, hash));
    }

    function test_rotate__by_the_old_key() public {
        address next = vm.addr(0x77);
        bytes memory signature = rotation(0x77, next, 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(AGENCY_KEY)));
        registry.rotateAgencyKey(AGENCY, next, 1, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidAddress.selector, 0));
        registry.rotateAgencyKey(AGENCY, address(0), 1, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(IRightsRegistry.SameKey.selector, vm.addr(AGENCY_KEY)));
        registry.rotateAgencyKey(AGENCY, vm.addr(AGENCY_KEY), 1, DEADLINE, signature);
        registry.rotateAgencyKey(AGENCY, next, 1, DEADLINE, rotation(AGENCY_KEY, next, 1));
        (address key,) = registry.agency(AGENCY);
        assertEq(key, next);
        depositRefused(
            list(entry("A", 1)), abi.encodeWithSelector(ICouncil.InvalidSignature.selector, next)
        );
        IRightsRegistry.Entry[] memory entries = list(entry("A", 1));
        registry.deposit(AGENCY, entries, 1, DEADLINE, batchSignature(0x77, AGENCY, entries, 1));
    }

    function test_pause__no_deposit_no_status_no_rotation() public {
        deposit(list(entry("A", 1)));
        decide(address(registry), NAME, Codes.PAUSE, 0, 0);
        bytes memory why = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        depositRefused(list(entry("B", 1)), why);
        setStatusRefused(change("A", Codes.STATUS_CANCELLED, false, false), START, why);
        bytes memory signature = rotation(AGENCY_KEY, address(9), 1);
        vm.expectRevert(why);
        registry.rotateAgencyKey(AGENCY, address(9), 1, DEADLINE, signature);
        assertAnswer(keyOf("A", 1), START, Codes.IN_FORCE, Codes.REASON_VALID);
    }

    // --- force ---

    function test_inForce__unknown_early_valid_late() public {
        assertAnswer(keyOf("A", 1), START, Codes.UNKNOWN, Codes.REASON_UNKNOWN_KEY);
        deposit(list(entry("A", 1)));
        assertAnswer(keyOf("A", 1), FROM - 1, Codes.NOT_IN_FORCE, Codes.REASON_NOT_YET_VALID);
        assertAnswer(keyOf("A", 1), FROM, Codes.IN_FORCE, Codes.REASON_VALID);
        assertAnswer(keyOf("A", 1), UNTIL - 1, Codes.IN_FORCE, Codes.REASON_VALID);
        assertAnswer(keyOf("A", 1), UNTIL, Codes.NOT_IN_FORCE, Codes.REASON_LAPSED);
        vm.warp(UNTIL);
        assertEq(registry.inForce(keyOf("A", 1)).reason, Codes.REASON_LAPSED);
    }

    function test_inForce__renewal_pending_past_expiry__never_lapsed() public {
        deposit(list(entry("A", 1)));
        setStatus(change("A", Codes.STATUS_RENEWAL_PENDING, false, false), START);
        assertAnswer(keyOf("A", 1), UNTIL - 1, Codes.IN_FORCE, Codes.REASON_RENEWAL_PENDING);
        vm.warp(UNTIL + 500);
        assertAnswer(keyOf("A", 1), UNTIL + 500, Codes.IN_FORCE_LIMITED, Codes.REASON_RENEWAL_PENDING);
        // Refused renewal: lapsed as of the old expiry.
        setStatus(change("A", Codes.STATUS_LAPSED, false, false), UNTIL);
        assertAnswer(keyOf("A", 1), UNTIL, Codes.NOT_IN_FORCE, Codes.REASON_LAPSED);
    }

    function test_inForce__flags() public {
        deposit(list(entry("A", 1)));
        setStatus(change("A", Codes.STATUS_VALID, true, false), START);
        assertAnswer(keyOf("A", 1), START, Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED);
        vm.warp(START + 10);
        setStatus(change("A", Codes.STATUS_VALID, true, true), START + 10);
        assertAnswer(keyOf("A", 1), START + 10, Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED_AND_OBJECTION);
        assertAnswer(keyOf("A", 1), START + 9, Codes.UNKNOWN, Codes.REASON_HISTORY);
        setStatus(change("A", Codes.STATUS_VALID, false, true), START + 10);
        assertAnswer(keyOf("A", 1), START + 10, Codes.IN_FORCE_LIMITED, Codes.REASON_OBJECTION);
        IRightsRegistry.Certificate memory c = registry.certificate(keyOf("A", 1));
        assertTrue(c.objection && !c.encumbered && c.olderHistory && c.previousEncumbered, "flags");
        assertEq(c.changedAt, START + 10);
    }

    function test_inForceAt__before_the_only_change__what_held_then() public {
        deposit(list(entry("A", 1)));
        vm.warp(START + 100);
        setStatus(change("A", Codes.STATUS_CANCELLED, false, false), START + 50);
        assertAnswer(keyOf("A", 1), START + 49, Codes.IN_FORCE, Codes.REASON_VALID);
        assertAnswer(keyOf("A", 1), START + 50, Codes.NOT_IN_FORCE, Codes.REASON_CANCELLED);
        assertAnswer(keyOf("A", 1), FROM - 1, Codes.NOT_IN_FORCE, Codes.REASON_NOT_YET_VALID);
    }

    function test_inForceAt__two_changes_at_one_instant__are_one() public {
        deposit(list(entry("A", 1)));
        vm.warp(START + 100);
        setStatus(change("A", Codes.STATUS_VALID, true, false), START + 10);
        setStatus(change("A", Codes.STATUS_VALID, true, true), START + 10);
        assertTrue(!registry.certificate(keyOf("A", 1)).olderHistory, "one change remembered as two");
        assertAnswer(keyOf("A", 1), START + 9, Codes.IN_FORCE, Codes.REASON_VALID);
        assertAnswer(keyOf("A", 1), START + 10, Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED_AND_OBJECTION);
    }

    // --- status ---

    function test_status__every_move() public {
        // From VALID (0) and RENEWAL_PENDING (1), and from each final status, to each status, after expiry and before.
        for (uint256 late = 0; late < 2; ++late) {
            for (uint8 from = 1; from <= 6; ++from) {
                for (uint8 to = 1; to <= 6; ++to) {
                    bytes32 code = bytes32(abi.encodePacked("M", bytes1(from), bytes1(to), bytes1(uint8(late))));
                    vm.warp(START);
                    deposit(list(entry(code, 1)));
                    uint64 at = from == Codes.STATUS_LAPSED ? UNTIL : START;
                    vm.warp(UNTIL);
                    if (from != 1) setStatus(change(code, from, false, false), at);
                    uint64 then = late == 1 ? UNTIL : at;
                    IRightsRegistry.StatusChange[] memory next = change(code, to, false, false);
                    bytes32 key = keyOf(code, 1);
                    bool mark = to == 2 && from != 2 && then >= UNTIL;
                    bool early = to == 5 && then < UNTIL;
                    if (mark || early) {
                        setStatusRefused(
                            next,
                            then,
                            abi.encodeWithSelector(IRightsRegistry.NotAtThisTime.selector, key, to, then, UNTIL)
                        );
                    } else if (from == to) {
                        setStatusRefused(next, then, abi.encodeWithSelector(IRightsRegistry.NoChange.selector, key));
                    } else if (from > 2) {
                        setStatusRefused(
                            next, then, abi.encodeWithSelector(IRightsRegistry.StatusIsFinal.selector, key, from)
                        );
                    } else {
                        setStatus(next, then);
                        assertEq(registry.certificate(key).status, to);
                    }
                }
            }
        }
    }

    function test_status__final__not_even_the_flags() public {
        deposit(list(entry("A", 1)));
        setStatus(change("A", Codes.STATUS_CANCELLED, false, false), START);
        setStatusRefused(
            change("A", Codes.STATUS_CANCELLED, true, false),
            START,
            abi.encodeWithSelector(IRightsRegistry.StatusIsFinal.selector, keyOf("A", 1), Codes.STATUS_CANCELLED)
        );
    }

    function test_status__refusals() public {
        deposit(list(entry("A", 1)));
        bytes32 key = keyOf("A", 1);
        setStatusRefused(
            new IRightsRegistry.StatusChange[](0), START, abi.encodeWithSelector(IRightsRegistry.EmptyBatch.selector)
        );
        setStatusRefused(
            change("Z", 1, false, false),
            START,
            abi.encodeWithSelector(IRightsRegistry.UnknownCertificate.selector, keyOf("Z", 1))
        );
        setStatusRefused(
            change("A", 0, false, false), START, abi.encodeWithSelector(IRightsRegistry.InvalidStatus.selector, key, 0)
        );
        setStatusRefused(
            change("A", 7, false, false), START, abi.encodeWithSelector(IRightsRegistry.InvalidStatus.selector, key, 7)
        );
        setStatusRefused(
            change("A", 1, true, false),
            START + 901,
            abi.encodeWithSelector(ICouncil.InstantInFuture.selector, START + 901, START)
        );
        setStatusRefused(
            change("A", 1, true, false),
            0,
            abi.encodeWithSelector(IRightsRegistry.ChangeOutOfOrder.selector, key, 0, 0)
        );
        setStatus(change("A", 1, true, false), START);
        setStatusRefused(
            change("A", 1, false, false),
            START - 1,
            abi.encodeWithSelector(IRightsRegistry.ChangeOutOfOrder.selector, key, START - 1, START)
        );
        IRightsRegistry.StatusChange[] memory changes = change("A", 1, false, false);
        bytes memory signature = statusSignature(AGENCY_KEY, AGENCY, changes, START, 1000);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(AGENCY_KEY)));
        registry.setStatus(AGENCY, changes, START + 1, 1000, DEADLINE, signature);
        // Another agency cannot reach this certificate: its id is part of the key.
        decide(address(registry), NAME, Codes.ADD_AGENCY, "two", word(vm.addr(0x2)));
        signature = statusSignature(0x2, "two", changes, START, 1);
        bytes32 theirs = keccak256(abi.encode(bytes32("two"), uint8(1), bytes32("A"), uint32(1)));
        vm.expectRevert(abi.encodeWithSelector(IRightsRegistry.UnknownCertificate.selector, theirs));
        registry.setStatus("two", changes, START, 1, DEADLINE, signature);
    }

    function testFuzz_status__neighbours_in_one_word_keep_theirs(uint8 which, uint8 to) public {
        IRightsRegistry.Entry[] memory entries = new IRightsRegistry.Entry[](11);
        for (uint256 i = 0; i < 11; ++i) {
            entries[i] = entry(bytes32(i + 1), 1);
        }
        deposit(entries);
        uint256 chosen = which % 11;
        uint8 status = [uint8(2), 3, 4, 6][to % 4];
        setStatus(change(bytes32(chosen + 1), status, to & 16 != 0, to & 32 != 0), START);
        for (uint256 i = 0; i < 11; ++i) {
            IRightsRegistry.Certificate memory c = registry.certificate(keyOf(bytes32(i + 1), 1));
            assertEq(c.status, i == chosen ? status : 1);
            assertTrue(c.encumbered == (i == chosen && to & 16 != 0), "encumbered");
            assertTrue(c.objection == (i == chosen && to & 32 != 0), "objection");
        }
    }

    // --- successors ---

    function test_successor__next_version__hands_over_at_its_start() public {
        deposit(list(entry("A", 1)));
        setStatus(change("A", Codes.STATUS_RENEWAL_PENDING, false, false), START);
        uint32 later = UNTIL + 10;
        deposit(list(succeeding(entry("A", 2), "A", 1, Codes.STATUS_SUPERSEDED, later)));
        assertAnswer(keyOf("A", 1), START, Codes.IN_FORCE, Codes.REASON_RENEWAL_PENDING);
        assertAnswer(keyOf("A", 1), later - 1, Codes.IN_FORCE_LIMITED, Codes.REASON_RENEWAL_PENDING);
        assertAnswer(keyOf("A", 2), later - 1, Codes.NOT_IN_FORCE, Codes.REASON_NOT_YET_VALID);
        assertAnswer(keyOf("A", 1), later, Codes.NOT_IN_FORCE, Codes.REASON_SUPERSEDED);
        assertAnswer(keyOf("A", 2), later, Codes.IN_FORCE, Codes.REASON_VALID);
        assertEq(registry.certificate(keyOf("A", 2)).predecessor, keyOf("A", 1));
    }

    function test_successor__partial_transfer__two_continue_one() public {
        deposit(list(entry("A", 1)));
        deposit(
            list(
                succeeding(entry("A", 2), "A", 1, Codes.STATUS_TRANSFERRED, FROM + 5),
                succeeding(entry("B", 1), "A", 1, Codes.STATUS_TRANSFERRED, FROM + 5)
            )
        );
        assertEq(registry.certificate(keyOf("A", 1)).status, Codes.STATUS_TRANSFERRED);
        assertEq(registry.certificate(keyOf("A", 2)).predecessor, keyOf("A", 1));
        assertEq(registry.certificate(keyOf("B", 1)).predecessor, keyOf("A", 1));
        depositRefused(
            list(succeeding(entry("C", 1), "A", 1, Codes.STATUS_TRANSFERRED, FROM + 5)),
            abi.encodeWithSelector(
                IRightsRegistry.StatusIsFinal.selector, keyOf("A", 1), Codes.STATUS_TRANSFERRED
            )
        );
    }

    function test_successor__two_in_one_batch_at_other_instants__refused() public {
        deposit(list(entry("A", 1)));
        depositRefused(
            list(
                succeeding(entry("A", 2), "A", 1, Codes.STATUS_TRANSFERRED, FROM + 5),
                succeeding(entry("B", 1), "A", 1, Codes.STATUS_TRANSFERRED, FROM + 6)
            ),
            abi.encodeWithSelector(
                IRightsRegistry.StatusIsFinal.selector, keyOf("A", 1), Codes.STATUS_TRANSFERRED
            )
        );
    }

    function test_successor__takes_the_flags_over() public {
        deposit(list(entry("A", 1)));
        setStatus(change("A", Codes.STATUS_VALID, true, true), START);
        deposit(list(succeeding(entry("A", 2), "A", 1, Codes.STATUS_SUPERSEDED, FROM + 5)));
        assertAnswer(
            keyOf("A", 2), FROM + 5, Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED_AND_OBJECTION
        );
        assertEq(registry.certificate(keyOf("A", 2)).changedAt, 0);
        vm.warp(START + 50);
        IRightsRegistry.StatusChange[] memory lift = change("A", Codes.STATUS_VALID, false, false);
        lift[0].version = 2;
        setStatus(lift, START + 50);
        assertAnswer(
            keyOf("A", 2), START + 49, Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED_AND_OBJECTION
        );
        assertAnswer(keyOf("A", 2), START + 50, Codes.IN_FORCE, Codes.REASON_VALID);
    }

    function test_version__needs_the_one_before_to_be_final() public {
        depositRefused(
            list(entry("A", 2)),
            abi.encodeWithSelector(IRightsRegistry.UnknownCertificate.selector, keyOf("A", 1))
        );
        deposit(list(entry("A", 1), entry("B", 1)));
        bytes memory inForce = abi.encodeWithSelector(
            IRightsRegistry.PreviousVersionInForce.selector, keyOf("A", 2), keyOf("A", 1)
        );
        depositRefused(list(entry("A", 2)), inForce);
        // Continuing another certificate does not make room for a second version of this one.
        depositRefused(list(succeeding(entry("A", 2), "B", 1, Codes.STATUS_SUPERSEDED, FROM + 1)), inForce);
        vm.warp(START + 20);
        setStatus(change("A", Codes.STATUS_CANCELLED, false, false), START + 20);
        depositRefused(
            list(entry("A", 2)),
            abi.encodeWithSelector(IRightsRegistry.StartsTooEarly.selector, keyOf("A", 2), FROM, START + 20)
        );
        IRightsRegistry.Entry memory next = entry("A", 2);
        next.validFrom = FROM + 20;
        deposit(list(next));
    }

    function test_successor__refusals() public {
        deposit(list(entry("A", 1)));
        depositRefused(
            list(succeeding(entry("B", 1), "Z", 1, Codes.STATUS_SUPERSEDED, FROM)),
            abi.encodeWithSelector(IRightsRegistry.UnknownCertificate.selector, keyOf("Z", 1))
        );
        depositRefused(
            list(succeeding(entry("B", 1), "B", 1, Codes.STATUS_SUPERSEDED, FROM)),
            abi.encodeWithSelector(IRightsRegistry.UnknownCertificate.selector, keyOf("B", 1))
        );
        uint8[5] memory wrong = [0, Codes.STATUS_VALID, Codes.STATUS_RENEWAL_PENDING, Codes.STATUS_LAPSED, 6];
        for (uint256 i = 0; i < wrong.length; ++i) {
            depositRefused(
                list(succeeding(entry("B", 1), "A", 1, wrong[i], FROM)),
                abi.encodeWithSelector(
                    IRightsRegistry.InvalidPredecessorStatus.selector, keyOf("B", 1), wrong[i]
                )
            );
        }
        depositRefused(
            list(succeeding(entry("B", 1), "A", 1, Codes.STATUS_SUPERSEDED, FROM - 1)),
            abi.encodeWithSelector(IRightsRegistry.StartsTooEarly.selector, keyOf("B", 1), FROM - 1, FROM)
        );
        setStatus(change("A", Codes.STATUS_VALID, true, false), START);
        decide(address(registry), NAME, Codes.ADD_AGENCY, "two", word(vm.addr(0x2)));
        IRightsRegistry.Entry[] memory theft =
            list(succeeding(entry("B", 1), "A", 1, Codes.STATUS_TRANSFERRED, FROM + 9));
        bytes memory signature = batchSignature(0x2, "two", theft, 1);
        bytes32 theirs = keccak256(abi.encode(bytes32("two"), uint8(1), bytes32("A"), uint32(1)));
        vm.expectRevert(abi.encodeWithSelector(IRightsRegistry.UnknownCertificate.selector, theirs));
        registry.deposit("two", theft, 1, DEADLINE, signature);
    }

    // --- gas, as a whole transaction on paris ---

    /// forge-config: default.isolate = true
    function test_gas__deposit_500__32000_each() public {
        IRightsRegistry.Entry[] memory entries = new IRightsRegistry.Entry[](500);
        for (uint256 i = 0; i < 500; ++i) {
            entries[i] = entry(bytes32(bytes15(keccak256(abi.encode(i)))), 1);
        }
        bytes memory signature = batchSignature(AGENCY_KEY, AGENCY, entries, 1);
        registry.deposit(AGENCY, entries, 1, DEADLINE, signature);
        uint256 used = vm.lastCallGas().gasTotalUsed / 500;
        say("gas: RightsRegistry.deposit, per certificate of 500", used);
        assertAtMost(used, 32_000);
    }
}

/// @dev Everything anybody may try: agency deposits and changes, forgeries, and the council with any act.
contract RightsHandler is RightsBase {
    struct Known {
        bytes20 commitment;
        uint8 finalStatus;
        uint32 changedAt;
    }

    bytes32[] public keys;
    mapping(bytes32 => Known) public known;
    bool public broken;

    constructor() {
        setUp();
    }

    /// @dev The fuzzer may call it; a second time it does nothing.
    function setUp() public override {
        if (address(registry) == address(0)) super.setUp();
    }

    function theRegistry() external view returns (RightsRegistry) {
        return registry;
    }

    function keyCount() external view returns (uint256) {
        return keys.length;
    }

    function offer(uint8 code, uint8 version, bytes32 salt, uint8 predecessor, bool forged) external {
        IRightsRegistry.Entry memory e = entry(bytes32(uint256(code % 6) + 1), version % 4);
        e.factSha256 = salt;
        if (predecessor > 100) {
            e = succeeding(e, bytes32(uint256(predecessor % 6) + 1), predecessor % 4, 3 + (predecessor % 2), FROM);
        }
        IRightsRegistry.Entry[] memory entries = list(e);
        uint256 nonce = ++nextNonce;
        bytes memory signature = batchSignature(forged ? councilKeys[code % 3] : AGENCY_KEY, AGENCY, entries, nonce);
        bytes32 key = keyOf(e.code, e.version);
        try registry.deposit(AGENCY, entries, nonce, DEADLINE, signature) {
            if (forged || known[key].commitment != 0) broken = true;
            known[key].commitment = registry.certificate(key).commitment;
            keys.push(key);
        } catch {}
    }

    function update(uint8 code, uint8 version, uint8 status, bool encumbered, bool objection, bool forged) external {
        IRightsRegistry.StatusChange[] memory changes =
            change(bytes32(uint256(code % 6) + 1), status % 8, encumbered, objection);
        changes[0].version = version % 4;
        uint256 nonce = ++nextNonce;
        bytes memory signature =
            statusSignature(forged ? councilKeys[code % 3] : AGENCY_KEY, AGENCY, changes, uint64(block.timestamp), nonce);
        bytes32 key = keyOf(changes[0].code, changes[0].version);
        try registry.setStatus(AGENCY, changes, uint64(block.timestamp), nonce, DEADLINE, signature) {
            if (forged || known[key].finalStatus != 0) broken = true;
        } catch {}
    }

    function remember(uint256 which) external {
        if (keys.length == 0) return;
        bytes32 key = keys[which % keys.length];
        IRightsRegistry.Certificate memory c = registry.certificate(key);
        if (c.status > 2) (known[key].finalStatus, known[key].changedAt) = (c.status, c.changedAt);
    }

    function council(uint8 code, bytes32 subject, bytes32 value, bool aimed) external {
        ICouncil.CouncilAct memory act = councilAct(code % 40, aimed ? AGENCY : subject, value);
        if (uint256(value) % 8 != 0) {
            if (act.act == Codes.PAUSE) act.act = Codes.UNPAUSE;
            if (act.act == Codes.SUSPEND_AGENCY) act.act = Codes.RESUME_AGENCY;
        }
        uint256 before = registry.count();
        try registry.decide(act, councilSignatures(address(registry), NAME, act, 2)) {} catch {}
        (address key,) = registry.agency(AGENCY);
        if (registry.count() != before || key != vm.addr(AGENCY_KEY)) broken = true;
    }

    function pass(uint16 time) external {
        vm.warp(block.timestamp + time);
    }
}

contract RightsRegistryInvariants is RightsBase {
    RightsHandler private handler;

    function setUp() public override {
        vm.warp(START);
        handler = new RightsHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Nobody but the agency's key writes; the council never does; what is written stays; final is final; and of
    ///      one code at most one version can be in force.
    function invariant_only_the_agency_writes_and_nothing_is_overwritten() public view {
        assertTrue(!handler.broken(), "a write that must not pass has passed");
        RightsRegistry target = handler.theRegistry();
        uint256 keys = handler.keyCount();
        assertEq(target.count(), keys);
        for (uint256 i = 0; i < keys; ++i) {
            bytes32 key = handler.keys(i);
            (bytes20 commitment, uint8 finalStatus, uint32 changedAt) = handler.known(key);
            IRightsRegistry.Certificate memory c = target.certificate(key);
            assertEq(bytes32(c.commitment), bytes32(commitment));
            assertEq(c.index, i);
            if (finalStatus != 0) {
                assertEq(c.status, finalStatus);
                assertEq(c.changedAt, changedAt);
            }
        }
        for (uint256 code = 1; code <= 6; ++code) {
            uint256 live = 0;
            for (uint32 version = 1; version < 4; ++version) {
                uint8 answer = target.inForce(keyOf(bytes32(code), version)).code;
                if (answer == Codes.IN_FORCE || answer == Codes.IN_FORCE_LIMITED) ++live;
            }
            assertAtMost(live, 1);
        }
    }
}
