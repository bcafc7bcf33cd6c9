// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Codes} from "../src/Codes.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {IRightsRegistry} from "../src/IRightsRegistry.sol";
import {RightsRegistry} from "../src/RightsRegistry.sol";
import {Base, Wallet} from "./Base.sol";
import {Vm} from "./MiniTest.sol";

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
        changes[0] = IRightsRegistry.StatusChange(keyOf(code, 1), status, encumbered, objection, 0);
    }

    function statusSignature(
        uint256 key,
        bytes32 agencyId,
        IRightsRegistry.StatusChange[] memory changes,
        uint256 nonce
    ) internal view returns (bytes memory) {
        bytes32 typeHash =
            keccak256("StatusBatch(bytes32 agencyId,bytes32 changesHash,uint256 nonce,uint64 deadline)");
        bytes32 hash =
            keccak256(abi.encode(typeHash, agencyId, keccak256(abi.encode(changes)), nonce, DEADLINE));
        return sign(key, digestOn(address(registry), NAME, hash));
    }

    /// @dev All of `changes` from the instant `at` on.
    function setStatus(IRightsRegistry.StatusChange[] memory changes, uint64 at) internal {
        for (uint256 i = 0; i < changes.length; ++i) {
            changes[i].effectiveAt = at;
        }
        uint256 nonce = ++nextNonce;
        registry.setStatus(AGENCY, changes, nonce, DEADLINE, statusSignature(AGENCY_KEY, AGENCY, changes, nonce));
    }

    function setStatusRefused(IRightsRegistry.StatusChange[] memory changes, uint64 at, bytes memory why) internal {
        for (uint256 i = 0; i < changes.length; ++i) {
            changes[i].effectiveAt = at;
        }
        uint256 nonce = ++nextNonce;
        bytes memory signature = statusSignature(AGENCY_KEY, AGENCY, changes, nonce);
        vm.expectRevert(why);
        registry.setStatus(AGENCY, changes, nonce, DEADLINE, signature);
    }

    function bulk(bytes memory indexes, uint8 status, bool encumbered, bool objection, uint64 at)
        internal
        pure
        returns (IRightsRegistry.BulkChange memory)
    {
        return IRightsRegistry.BulkChange(indexes, status, encumbered, objection, at);
    }

    function bulkSignature(uint256 key, bytes32 agencyId, IRightsRegistry.BulkChange memory change_, uint256 nonce)
        internal
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256(
            "BulkStatus(bytes32 agencyId,bytes indexes,uint8 status,bool encumbered,bool objection,uint64 effectiveAt,uint256 nonce,uint64 deadline)"
        );
        bytes32 hash = keccak256(
            abi.encode(
                typeHash,
                agencyId,
                keccak256(change_.indexes),
                change_.status,
                change_.encumbered,
                change_.objection,
                change_.effectiveAt,
                nonce,
                DEADLINE
            )
        );
        return sign(key, digestOn(address(registry), NAME, hash));
    }

    function setInBulk(IRightsRegistry.BulkChange memory change_) internal {
        uint256 nonce = ++nextNonce;
        registry.setStatusByIndex(
            AGENCY, change_, nonce, DEADLINE, bulkSignature(AGENCY_KEY, AGENCY, change_, nonce)
        );
    }

    function setInBulkRefused(IRightsRegistry.BulkChange memory change_, bytes memory why) internal {
        uint256 nonce = ++nextNonce;
        bytes memory signature = bulkSignature(AGENCY_KEY, AGENCY, change_, nonce);
        vm.expectRevert(why);
        registry.setStatusByIndex(AGENCY, change_, nonce, DEADLINE, signature);
    }

    /// @dev `many` certificates with the codes 1, 2, 3 ...; their indexes start at 0 when nothing was there before.
    function depositMany(uint256 many) internal {
        IRightsRegistry.Entry[] memory entries = new IRightsRegistry.Entry[](many);
        for (uint256 i = 0; i < many; ++i) {
            entries[i] = entry(bytes32(i + 1), 1);
        }
        deposit(entries);
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

    /// @dev A number too long for its type, under a good signature: refused, not cut to size.
    function test_deposit__a_number_too_long_for_its_type() public {
        IRightsRegistry.Entry[] memory entries = list(entry("A", 1));
        uint256[7] memory fields = [uint256(1), 2, 5, 6, 8, 9, 10];
        uint256[7] memory bits = [uint256(8), 32, 32, 32, 8, 32, 8];
        bytes32 typeHash =
            keccak256("DepositBatch(bytes32 agencyId,bytes32 entriesHash,uint256 nonce,uint64 deadline)");
        for (uint256 i = 0; i < 7; ++i) {
            bytes memory raw = abi.encode(entries);
            // Past the array's length, its offset and its count: the words of the one entry.
            uint256 at = 32 + 64 + fields[i] * 32;
            assembly ("memory-safe") {
                let place := add(raw, at)
                mstore(place, or(mload(place), shl(mload(add(bits, mul(i, 32))), 1)))
            }
            bytes32 hash = keccak256(abi.encode(typeHash, AGENCY, keccak256(raw), 50 + i, DEADLINE));
            bytes memory signature = sign(AGENCY_KEY, digestOn(address(registry), NAME, hash));
            // The words of `raw` after its offset, where the call keeps the entries.
            bytes memory tail = new bytes(raw.length - 32);
            for (uint256 j = 0; j < tail.length; ++j) {
                tail[j] = raw[j + 32];
            }
            bytes memory data = abi.encodePacked(
                IRightsRegistry.deposit.selector,
                abi.encode(AGENCY, uint256(160), 50 + i, DEADLINE, 160 + tail.length),
                tail,
                abi.encode(signature.length),
                signature
            );
            (bool done, bytes memory why) = address(registry).call(data);
            assertTrue(!done, "too long a number");
            assertEq(
                keccak256(why), keccak256(abi.encodeWithSelector(IRightsRegistry.EntryIncomplete.selector, 0))
            );
        }
    }

    // --- agencies ---

    /// @dev Every act there could be, signed by all three members and aimed at an agency, a certificate's key or its
    ///      index: certificate, status, count and the agency's key stay, and no event says otherwise.
    function test_council__no_act_writes_a_certificate_or_a_status() public {
        deposit(list(entry("A", 1)));
        bytes32 before = keccak256(abi.encode(registry.certificate(keyOf("A", 1)), registry.count()));
        bytes32[4] memory aims = [AGENCY, keyOf("A", 1), bytes32(0), bytes32("A")];
        vm.recordLogs();
        for (uint256 code = 0; code < 256; ++code) {
            // A pause would refuse the acts after it; REPLACE_MEMBER and NAME_SUCCESSOR have tests of their own.
            if (code == Codes.PAUSE) continue;
            for (uint256 i = 0; i < 4; ++i) {
                ICouncil.CouncilAct memory act = councilAct(uint8(code), aims[i], aims[(i + 1) % 4]);
                ICouncil.MemberSignature[] memory all = councilSignatures(address(registry), NAME, act, 3);
                try registry.decide(act, all) {} catch {}
            }
        }
        assertEq(keccak256(abi.encode(registry.certificate(keyOf("A", 1)), registry.count())), before);
        (address key,) = registry.agency(AGENCY);
        assertEq(key, vm.addr(AGENCY_KEY));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32 topic = logs[i].topics[0];
            assertTrue(
                topic == ICouncil.Decided.selector || topic == IRightsRegistry.AgencyAdded.selector
                    || topic == IRightsRegistry.AgencySuspensionSet.selector,
                "an event of a certificate"
            );
        }
    }

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

    function test_inForce__flags__earlier_instants_are_history() public {
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
        assertTrue(c.objection && !c.encumbered && c.olderHistory, "flags");
        assertEq(c.previousStatus, 0);
        assertEq(c.changedAt, START + 10);
    }

    function test_inForceAt__before_an_end_made_by_itself__what_held_then() public {
        deposit(list(entry("A", 1)));
        vm.warp(START + 100);
        setStatus(change("A", Codes.STATUS_CANCELLED, false, false), START + 50);
        assertAnswer(keyOf("A", 1), START + 49, Codes.IN_FORCE, Codes.REASON_VALID);
        assertAnswer(keyOf("A", 1), START + 50, Codes.NOT_IN_FORCE, Codes.REASON_CANCELLED);
        assertAnswer(keyOf("A", 1), FROM - 1, Codes.NOT_IN_FORCE, Codes.REASON_NOT_YET_VALID);
        IRightsRegistry.Certificate memory c = registry.certificate(keyOf("A", 1));
        assertEq(c.previousStatus, Codes.STATUS_VALID);
        assertEq(c.changedAt, START + 50);
        assertTrue(!c.olderHistory, "one change is the whole history");
    }

    function test_inForceAt__before_an_end_that_followed_another_change__exact_back_to_that_one() public {
        deposit(list(entry("A", 1)));
        vm.warp(START + 100);
        setStatus(change("A", Codes.STATUS_VALID, true, false), START + 20);
        setStatus(change("A", Codes.STATUS_CANCELLED, true, false), START + 50);
        assertAnswer(keyOf("A", 1), START + 50, Codes.NOT_IN_FORCE, Codes.REASON_CANCELLED);
        assertAnswer(keyOf("A", 1), START + 49, Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED);
        assertAnswer(keyOf("A", 1), START + 20, Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED);
        assertAnswer(keyOf("A", 1), START + 19, Codes.UNKNOWN, Codes.REASON_HISTORY);
        IRightsRegistry.Certificate memory c = registry.certificate(keyOf("A", 1));
        assertTrue(c.previousEncumbered && !c.previousObjection && c.olderHistory, "history");
    }

    /// @dev A word remembers the latest instant of its undated changes only: who changed earlier gets no wrong answer,
    ///      who never changed gets the full one.
    function test_inForceAt__a_neighbours_later_change__history_for_the_changed__nothing_for_the_others() public {
        depositMany(3);
        vm.warp(START + 100);
        setStatus(change(bytes32(uint256(1)), Codes.STATUS_VALID, true, false), START + 20);
        setInBulk(bulk(hex"00000001", Codes.STATUS_VALID, false, true, START + 60));
        assertAnswer(keyOf(bytes32(uint256(1)), 1), START + 60, Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED);
        assertAnswer(keyOf(bytes32(uint256(1)), 1), START + 59, Codes.UNKNOWN, Codes.REASON_HISTORY);
        assertAnswer(keyOf(bytes32(uint256(2)), 1), START + 60, Codes.IN_FORCE_LIMITED, Codes.REASON_OBJECTION);
        assertAnswer(keyOf(bytes32(uint256(3)), 1), START + 1, Codes.IN_FORCE, Codes.REASON_VALID);
        assertAnswer(keyOf(bytes32(uint256(3)), 1), FROM - 1, Codes.NOT_IN_FORCE, Codes.REASON_NOT_YET_VALID);
        assertEq(registry.inForce(keyOf(bytes32(uint256(1)), 1)).reason, Codes.REASON_ENCUMBERED);
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
                    uint32 index = registry.certificate(key).index;
                    bool mark = to == 2 && from != 2 && then >= UNTIL;
                    bool early = to == 5 && then < UNTIL;
                    if (mark || early) {
                        setStatusRefused(
                            next,
                            then,
                            abi.encodeWithSelector(IRightsRegistry.NotAtThisTime.selector, index, to, then, UNTIL)
                        );
                    } else if (from == to) {
                        setStatusRefused(next, then, abi.encodeWithSelector(IRightsRegistry.NoChange.selector, index));
                    } else if (from > 2) {
                        setStatusRefused(
                            next, then, abi.encodeWithSelector(IRightsRegistry.StatusIsFinal.selector, index, from)
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
            abi.encodeWithSelector(IRightsRegistry.StatusIsFinal.selector, 0, Codes.STATUS_CANCELLED)
        );
    }

    function test_status__refusals() public {
        deposit(list(entry("A", 1)));
        setStatusRefused(
            new IRightsRegistry.StatusChange[](0), START, abi.encodeWithSelector(IRightsRegistry.EmptyBatch.selector)
        );
        setStatusRefused(
            change("Z", 1, false, false),
            START,
            abi.encodeWithSelector(IRightsRegistry.UnknownCertificate.selector, keyOf("Z", 1))
        );
        setStatusRefused(
            change("A", 0, false, false), START, abi.encodeWithSelector(IRightsRegistry.InvalidStatus.selector, 0)
        );
        setStatusRefused(
            change("A", 7, false, false), START, abi.encodeWithSelector(IRightsRegistry.InvalidStatus.selector, 7)
        );
        setStatusRefused(
            change("A", 1, true, false),
            START + 1,
            abi.encodeWithSelector(ICouncil.InstantInFuture.selector, START + 1, START)
        );
        setStatusRefused(
            change("A", 1, true, false),
            0,
            abi.encodeWithSelector(IRightsRegistry.InstantMissing.selector)
        );
        setStatus(change("A", 1, true, false), START);
        setStatusRefused(
            change("A", 1, false, false),
            START - 1,
            abi.encodeWithSelector(IRightsRegistry.ChangeOutOfOrder.selector, 0, START - 1, START)
        );
        IRightsRegistry.StatusChange[] memory changes = change("A", 1, false, false);
        changes[0].effectiveAt = START;
        bytes memory signature = statusSignature(AGENCY_KEY, AGENCY, changes, 1000);
        changes[0].effectiveAt = START + 1;
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(AGENCY_KEY)));
        registry.setStatus(AGENCY, changes, 1000, DEADLINE, signature);
    }

    function test_status__another_agencys_certificate__refused_by_key_and_by_index() public {
        decide(address(registry), NAME, Codes.ADD_AGENCY, "two", word(vm.addr(0x2)));
        deposit(list(entry("A", 1)));
        IRightsRegistry.StatusChange[] memory changes = change("A", Codes.STATUS_CANCELLED, false, false);
        changes[0].effectiveAt = START;
        bytes memory signature = statusSignature(0x2, "two", changes, 1);
        bytes memory why = abi.encodeWithSelector(IRightsRegistry.IndexNotOfAgency.selector, 0);
        vm.expectRevert(why);
        registry.setStatus("two", changes, 1, DEADLINE, signature);
        IRightsRegistry.BulkChange memory change_ = bulk(hex"00000000", Codes.STATUS_CANCELLED, false, false, START);
        signature = bulkSignature(0x2, "two", change_, 2);
        vm.expectRevert(why);
        registry.setStatusByIndex("two", change_, 2, DEADLINE, signature);
    }

    // --- status in bulk ---

    function test_bulk__every_listed_one_and_no_other__one_event_tells() public {
        depositMany(80);
        vm.recordLogs();
        bytes memory indexes = hex"0000000000000001000000210000002200000045";
        setInBulk(bulk(indexes, Codes.STATUS_VALID, true, false, START));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1);
        assertEq(logs[0].topics[0], IRightsRegistry.StatusChangedInBulk.selector);
        assertEq(logs[0].topics[1], AGENCY);
        assertEq(
            keccak256(logs[0].data),
            keccak256(abi.encode(Codes.STATUS_VALID, true, false, START, indexes))
        );
        for (uint256 i = 0; i < 80; ++i) {
            bool listed = i == 0 || i == 1 || i == 33 || i == 34 || i == 69;
            IRightsRegistry.Certificate memory c = registry.certificate(keyOf(bytes32(i + 1), 1));
            assertEq(c.index, i);
            assertTrue(c.encumbered == listed && !c.objection && c.olderHistory == listed, "listed");
            assertEq(c.changedAt, listed ? START : 0);
        }
    }

    function test_bulk__each_status__from_valid_and_from_pending() public {
        for (uint8 status = 0; status < 8; ++status) {
            bytes32 code = bytes32(uint256(status) + 1);
            deposit(list(entry(code, 1)));
            bytes memory indexes = abi.encodePacked(uint32(status));
            IRightsRegistry.BulkChange memory change_ = bulk(indexes, status, false, true, START);
            if (status == 0 || status == 7 || status == Codes.STATUS_RENEWAL_PENDING || status == Codes.STATUS_LAPSED)
            {
                setInBulkRefused(change_, abi.encodeWithSelector(IRightsRegistry.InvalidStatus.selector, status));
                continue;
            }
            setStatus(change(code, Codes.STATUS_RENEWAL_PENDING, false, false), START);
            setInBulk(change_);
            assertEq(registry.certificate(keyOf(code, 1)).status, status);
            assertTrue(registry.certificate(keyOf(code, 1)).objection, "objection");
        }
    }

    function test_bulk__refusals() public {
        depositMany(40);
        uint8 cancelled = Codes.STATUS_CANCELLED;
        setInBulkRefused(
            bulk("", cancelled, false, false, START), abi.encodeWithSelector(IRightsRegistry.EmptyBatch.selector)
        );
        setInBulkRefused(
            bulk(hex"0000000000", cancelled, false, false, START),
            abi.encodeWithSelector(IRightsRegistry.IndexesNotWhole.selector, 5)
        );
        setInBulkRefused(
            bulk(hex"0000000100000001", cancelled, false, false, START),
            abi.encodeWithSelector(IRightsRegistry.IndexesNotAscending.selector, 1)
        );
        setInBulkRefused(
            bulk(hex"0000000200000001", cancelled, false, false, START),
            abi.encodeWithSelector(IRightsRegistry.IndexesNotAscending.selector, 1)
        );
        // 40 is in the agency's open word, but nobody has it yet; 68 would be in a word that does not exist.
        setInBulkRefused(
            bulk(hex"0000002700000028", cancelled, false, false, START),
            abi.encodeWithSelector(IRightsRegistry.IndexNotOfAgency.selector, 40)
        );
        setInBulkRefused(
            bulk(hex"00000044", cancelled, false, false, START),
            abi.encodeWithSelector(IRightsRegistry.IndexNotOfAgency.selector, 68)
        );
        setInBulkRefused(
            bulk(hex"ffffffff", cancelled, false, false, START),
            abi.encodeWithSelector(IRightsRegistry.IndexNotOfAgency.selector, type(uint32).max)
        );
        setInBulkRefused(
            bulk(hex"00000000", cancelled, false, false, START + 1),
            abi.encodeWithSelector(ICouncil.InstantInFuture.selector, START + 1, START)
        );
        setInBulkRefused(
            bulk(hex"00000000", cancelled, false, false, 0),
            abi.encodeWithSelector(IRightsRegistry.InstantMissing.selector)
        );
        setInBulkRefused(
            bulk(hex"00000000", Codes.STATUS_VALID, false, false, START),
            abi.encodeWithSelector(IRightsRegistry.NoChange.selector, 0)
        );
        setInBulk(bulk(hex"00000001", Codes.STATUS_VALID, true, false, START));
        setInBulkRefused(
            bulk(hex"0000000000000001", cancelled, false, false, START - 1),
            abi.encodeWithSelector(IRightsRegistry.ChangeOutOfOrder.selector, 1, START - 1, START)
        );
        // Nothing of a refused batch stays: 0 is still untouched and may be dated back.
        setInBulk(bulk(hex"00000000", cancelled, false, false, START - 1));
        setInBulkRefused(
            bulk(hex"00000000", Codes.STATUS_SUPERSEDED, false, false, START),
            abi.encodeWithSelector(IRightsRegistry.StatusIsFinal.selector, 0, cancelled)
        );
        IRightsRegistry.BulkChange memory change_ = bulk(hex"00000003", cancelled, false, false, START);
        bytes memory signature = bulkSignature(AGENCY_KEY, AGENCY, change_, 1000);
        change_.indexes = hex"00000004";
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(AGENCY_KEY)));
        registry.setStatusByIndex(AGENCY, change_, 1000, DEADLINE, signature);
        change_.indexes = hex"00000003";
        registry.setStatusByIndex(AGENCY, change_, 1000, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NonceUsed.selector, vm.addr(AGENCY_KEY), 1000));
        registry.setStatusByIndex(AGENCY, change_, 1000, DEADLINE, signature);
    }

    function test_index__agencies_never_share_a_status_word() public {
        decide(address(registry), NAME, Codes.ADD_AGENCY, "two", word(vm.addr(0x2)));
        depositMany(2);
        IRightsRegistry.Entry[] memory theirs = list(entry("A", 1), entry("B", 1));
        registry.deposit("two", theirs, 1, DEADLINE, batchSignature(0x2, "two", theirs, 1));
        deposit(list(entry("C", 1)));
        bytes32 theirB = keccak256(abi.encode(bytes32("two"), uint8(1), bytes32("B"), uint32(1)));
        assertEq(registry.certificate(theirB).index, 35);
        assertEq(registry.certificate(keyOf("C", 1)).index, 2);
        assertEq(registry.count(), 5);
        IRightsRegistry.Entry[] memory many = new IRightsRegistry.Entry[](32);
        for (uint256 i = 0; i < 32; ++i) {
            many[i] = entry(bytes32(100 + i), 1);
        }
        deposit(many);
        assertEq(registry.certificate(keyOf(bytes32(uint256(130)), 1)).index, 33);
        assertEq(registry.certificate(keyOf(bytes32(uint256(131)), 1)).index, 68);
    }

    /// @dev An index that a later deposit takes must not carry an older change: none can be made before it is taken.
    function testFuzz_bulk__same_answers_as_one_by_one(uint256 which, uint8 to, uint32 back) public {
        depositMany(70);
        vm.warp(START + 1000);
        uint8 status = [uint8(1), 3, 4, 6][to % 4];
        (bool encumbered, bool objection) = (to & 16 != 0, to & 32 != 0);
        if (status == 1 && !encumbered) objection = true;
        uint64 at = START + 1000 - back % 900;
        bytes memory indexes;
        IRightsRegistry.StatusChange[] memory singles = new IRightsRegistry.StatusChange[](70);
        uint256 many = 0;
        for (uint256 i = 0; i < 70; ++i) {
            if ((which >> i) & 1 == 0) continue;
            indexes = abi.encodePacked(indexes, uint32(i));
            singles[many++] =
                IRightsRegistry.StatusChange(keyOf(bytes32(i + 1), 1), status, encumbered, objection, at);
        }
        vm.assume(many > 0);
        setInBulk(bulk(indexes, status, encumbered, objection, at));
        RightsRegistry inBulk = registry;
        registry = new RightsRegistry(councilMembers(), 2, 1);
        decide(address(registry), NAME, Codes.ADD_AGENCY, AGENCY, word(vm.addr(AGENCY_KEY)));
        depositMany(70);
        assembly ("memory-safe") {
            mstore(singles, many)
        }
        setStatus(singles, at);
        for (uint256 i = 0; i < 70; ++i) {
            bytes32 key = keyOf(bytes32(i + 1), 1);
            assertEq(inBulk.inForce(key).reason, registry.inForce(key).reason);
            assertEq(inBulk.inForceAt(key, at).reason, registry.inForceAt(key, at).reason);
            assertEq(inBulk.inForceAt(key, UNTIL).reason, registry.inForceAt(key, UNTIL).reason);
            assertEq(inBulk.certificate(key).status, registry.certificate(key).status);
        }
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
            abi.encodeWithSelector(IRightsRegistry.StatusIsFinal.selector, 0, Codes.STATUS_TRANSFERRED)
        );
    }

    function test_successor__two_in_one_batch_at_other_instants__refused() public {
        deposit(list(entry("A", 1)));
        depositRefused(
            list(
                succeeding(entry("A", 2), "A", 1, Codes.STATUS_TRANSFERRED, FROM + 5),
                succeeding(entry("B", 1), "A", 1, Codes.STATUS_TRANSFERRED, FROM + 6)
            ),
            abi.encodeWithSelector(IRightsRegistry.StatusIsFinal.selector, 0, Codes.STATUS_TRANSFERRED)
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
        lift[0].key = keyOf("A", 2);
        setStatus(lift, START + 50);
        assertAnswer(keyOf("A", 2), START + 49, Codes.UNKNOWN, Codes.REASON_HISTORY);
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

    /// forge-config: default.isolate = true
    function test_gas__setStatusByIndex__500_neighbours__1200_each() public {
        depositMany(500);
        bytes memory indexes;
        for (uint32 i = 0; i < 500; ++i) {
            indexes = abi.encodePacked(indexes, i);
        }
        setInBulk(bulk(indexes, Codes.STATUS_CANCELLED, false, false, START));
        uint256 used = vm.lastCallGas().gasTotalUsed / 500;
        say("gas: RightsRegistry.setStatusByIndex, per certificate of 500 neighbours", used);
        assertAtMost(used, 1_200);
    }

    /// @dev As far apart as can be: no two share a status word, and all are untouched. (500 at random of 10^6 do share
    ///      a few.)
    /// forge-config: default.isolate = true
    function test_gas__setStatusByIndex__500_in_words_of_their_own__6000_each() public {
        bytes memory indexes;
        for (uint256 i = 0; i < 34; ++i) {
            IRightsRegistry.Entry[] memory entries = new IRightsRegistry.Entry[](500);
            for (uint256 j = 0; j < 500; ++j) {
                entries[j] = entry(bytes32(i * 500 + j + 1), 1);
            }
            deposit(entries);
        }
        for (uint32 i = 0; i < 500; ++i) {
            indexes = abi.encodePacked(indexes, i * 34 + i % 34);
        }
        setInBulk(bulk(indexes, Codes.STATUS_VALID, true, false, START));
        uint256 used = vm.lastCallGas().gasTotalUsed / 500;
        say("gas: RightsRegistry.setStatusByIndex, per certificate of 500 in words of their own", used);
        assertAtMost(used, 6_000);
        setInBulk(bulk(indexes, Codes.STATUS_CANCELLED, true, false, START));
        used = vm.lastCallGas().gasTotalUsed / 500;
        say("gas: the same certificates once more", used);
        assertAtMost(used, 6_000);
    }
}
