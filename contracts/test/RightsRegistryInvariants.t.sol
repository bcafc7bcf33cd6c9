// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Codes} from "../src/Codes.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {IRightsRegistry} from "../src/IRightsRegistry.sol";
import {RightsRegistry} from "../src/RightsRegistry.sol";
import {Tally} from "./Base.sol";
import {FuzzSelector} from "./MiniTest.sol";
import {RightsBase} from "./RightsRegistry.t.sol";

/// @dev Two agencies, the council and strangers at work, and beside them a model that only knows what the events tell:
///      per certificate the list of its states in the order of the chain. Lawful acts must pass (a revert fails the
///      run), the others must be refused.
contract RightsHandler is RightsBase, Tally {
    struct Told {
        uint64 at;
        uint8 status;
        bool encumbered;
        bool objection;
    }

    struct Known {
        IRightsRegistry.Entry entry;
        uint256 who;
        uint32 index;
        bool undated;
        bool everUndated;
    }

    bytes32[2] private ids = [AGENCY, bytes32("two")];
    uint256[2] private keys = [AGENCY_KEY, 0xB0B];
    uint32[2] private next;
    uint32 private words;
    uint256 private codes;
    Known[] private known;
    mapping(uint256 place => Told[]) private told;
    mapping(uint256 wordIndex => uint64) private latest;
    uint256[4] public touched;
    uint256 private touches;

    constructor() {
        setUp();
    }

    function setUp() public override {
        super.setUp();
        decide(address(registry), NAME, Codes.ADD_AGENCY, ids[1], word(vm.addr(keys[1])));
        depositNew(0, 2, 5000);
        depositNew(1, 2, 5000);
    }

    function theRegistry() external view returns (RightsRegistry) {
        return registry;
    }

    function size() external view returns (uint256) {
        return known.length;
    }

    // --- lawful acts ---

    function depositNew(uint8 who, uint8 many, uint16 life) public {
        IRightsRegistry.Entry[] memory entries = new IRightsRegistry.Entry[](1 + many % 3);
        for (uint256 i = 0; i < entries.length; ++i) {
            entries[i] = fresh(bytes32(++codes), 1, uint32(block.timestamp), life);
        }
        submit(who % 2, entries);
    }

    /// @dev A next version, a transfer to another code, or both at once (a partial transfer).
    function succeed(uint256 pick, uint8 form, uint16 ahead, uint16 life) external {
        (bool found, uint256 place) = living(pick);
        if (!found) return idle();
        IRightsRegistry.Entry memory old = known[place].entry;
        uint32 from = uint32(block.timestamp) + ahead % 600 - 100;
        if (from < old.validFrom) from = old.validFrom;
        IRightsRegistry.Entry memory again = fresh(old.code, old.version + 1, from, life);
        IRightsRegistry.Entry memory other = fresh(bytes32(++codes), 1, from, life);
        IRightsRegistry.Entry[] memory entries =
            form % 3 == 0 ? list(again) : form % 3 == 1 ? list(other) : list(again, other);
        uint8 status = form % 3 == 0 ? Codes.STATUS_SUPERSEDED : Codes.STATUS_TRANSFERRED;
        for (uint256 i = 0; i < entries.length; ++i) {
            (entries[i].predecessorCode, entries[i].predecessorPaperType) = (old.code, 1);
            (entries[i].predecessorVersion, entries[i].predecessorStatus) = (old.version, status);
        }
        Told memory now_ = last(place);
        uint256 first = known.length;
        submit(known[place].who, entries);
        tell(place, Told(from, status, now_.encumbered, now_.objection), false);
        for (uint256 i = first; i < known.length; ++i) {
            told[i].push(Told(from, Codes.STATUS_VALID, now_.encumbered, now_.objection));
        }
    }

    function changeOne(uint256 pick, uint8 to, bool encumbered, bool objection, uint16 back) external {
        (bool found, uint256 place) = living(pick);
        if (!found) return idle();
        Told memory now_ = last(place);
        uint64 at = instant(place, back);
        uint32 until = known[place].entry.validUntil;
        to = 1 + to % 6;
        if (to == Codes.STATUS_RENEWAL_PENDING && now_.status != to && at >= until) to = Codes.STATUS_VALID;
        if (to == Codes.STATUS_LAPSED && at < until) to = Codes.STATUS_VALID;
        if (to == now_.status && encumbered == now_.encumbered && objection == now_.objection) encumbered = !encumbered;
        IRightsRegistry.StatusChange[] memory changes = new IRightsRegistry.StatusChange[](1);
        changes[0] = IRightsRegistry.StatusChange(keyAt(place), to, encumbered, objection, at);
        (uint256 who, uint256 nonce) = (known[place].who, ++nextNonce);
        registry.setStatus(
            ids[who], changes, nonce, DEADLINE, statusSignature(keys[who], ids[who], changes, nonce)
        );
        tell(place, Told(at, to, encumbered, objection), to <= Codes.STATUS_RENEWAL_PENDING);
        ++lawful;
    }

    function changeMany(uint256 pick, uint8 to, bool encumbered, bool objection, uint16 back) external {
        to = [Codes.STATUS_VALID, Codes.STATUS_VALID, Codes.STATUS_SUPERSEDED, Codes.STATUS_CANCELLED][to % 4];
        uint256 who = pick % 2;
        uint64 at = uint64(block.timestamp) - back % 300;
        bytes memory indexes;
        uint256[] memory places = new uint256[](16);
        uint256 many = 0;
        for (uint256 i = (pick >> 1) % known.length; i < known.length && many < 16; ++i) {
            Told memory now_ = last(i);
            if (known[i].who != who || now_.status > Codes.STATUS_RENEWAL_PENDING) continue;
            if (now_.status == to && now_.encumbered == encumbered && now_.objection == objection) continue;
            if (known[i].undated && at < latest[known[i].index / 34]) continue;
            indexes = abi.encodePacked(indexes, known[i].index);
            places[many++] = i;
        }
        if (many == 0) return idle();
        IRightsRegistry.BulkChange memory change_ = bulk(indexes, to, encumbered, objection, at);
        uint256 nonce = ++nextNonce;
        registry.setStatusByIndex(
            ids[who], change_, nonce, DEADLINE, bulkSignature(keys[who], ids[who], change_, nonce)
        );
        for (uint256 i = 0; i < many; ++i) {
            tell(places[i], Told(at, to, encumbered, objection), true);
        }
        ++lawful;
    }

    function rotate(uint8 who, uint128 seed) external {
        who %= 2;
        uint256 newKey = 0x10000 + uint256(seed) * 4 + who;
        uint256 nonce = ++nextNonce;
        bytes32 typeHash =
            keccak256("RotateAgencyKey(bytes32 agencyId,address newKey,uint256 nonce,uint64 deadline)");
        bytes32 hash = keccak256(abi.encode(typeHash, ids[who], vm.addr(newKey), nonce, DEADLINE));
        if (newKey == keys[who]) return idle();
        registry.rotateAgencyKey(
            ids[who], vm.addr(newKey), nonce, DEADLINE, sign(keys[who], digestOn(address(registry), NAME, hash))
        );
        keys[who] = newKey;
        ++lawful;
    }

    function pass(uint16 time) external {
        vm.warp(block.timestamp + time % 1000);
        idle();
    }

    // --- what must be refused ---

    function hostileDeposit(uint256 pick, uint8 way) external {
        uint256 place = pick % known.length;
        uint256 who = known[place].who;
        IRightsRegistry.Entry[] memory entries = list(fresh(bytes32(codes + 1), 1, uint32(block.timestamp), 9));
        (uint256 key, uint256 nonce) = (keys[who], ++nextNonce);
        if (way % 5 == 0) (entries[0], entries[0].factSha256) = (known[place].entry, "other");
        if (way % 5 == 1) entries[0].version = 2;
        if (way % 5 == 2) key = keys[1 - who];
        if (way % 5 == 3) key = councilKeys[pick % 3];
        if (way % 5 == 4) nonce = 1;
        if (way % 5 == 4) who = 0;
        if (way % 5 == 4) key = keys[0];
        if (way % 5 == 4 && !registry.nonceUsed(vm.addr(key), nonce)) return idle();
        bytes memory signature = batchSignature(key, ids[who], entries, nonce);
        try registry.deposit(ids[who], entries, nonce, DEADLINE, signature) {
            broken = true;
        } catch {
            ++unlawful;
        }
    }

    function hostileStatus(uint256 pick, uint8 way, bool inBulk) external {
        uint256 place = pick % known.length;
        Told memory now_ = last(place);
        uint256 who = known[place].who;
        uint256 key = keys[who];
        uint64 at = uint64(block.timestamp);
        uint32 index = known[place].index;
        if (way % 5 == 0) key = councilKeys[pick % 3];
        if (way % 5 == 1) (who, key) = (1 - who, keys[1 - who]);
        if (way % 5 == 2) at += 1;
        if (way % 5 == 3) (inBulk, index) = (true, next[who]);
        if (way % 5 == 4 && now_.status <= Codes.STATUS_RENEWAL_PENDING) return idle();
        uint256 nonce = ++nextNonce;
        bool passed;
        if (inBulk) {
            IRightsRegistry.BulkChange memory change_ =
                bulk(abi.encodePacked(index), Codes.STATUS_VALID, !now_.encumbered, true, at);
            bytes memory signature = bulkSignature(key, ids[who], change_, nonce);
            try registry.setStatusByIndex(ids[who], change_, nonce, DEADLINE, signature) {
                passed = true;
            } catch {}
        } else {
            IRightsRegistry.StatusChange[] memory changes = new IRightsRegistry.StatusChange[](1);
            changes[0] =
                IRightsRegistry.StatusChange(keyAt(place), Codes.STATUS_VALID, !now_.encumbered, true, at);
            bytes memory signature = statusSignature(key, ids[who], changes, nonce);
            try registry.setStatus(ids[who], changes, nonce, DEADLINE, signature) {
                passed = true;
            } catch {}
        }
        if (passed) broken = true;
        ++unlawful;
    }

    /// @dev Any council act with enough signatures: no certificate and no key changes by it. A pause and a suspension
    ///      are lifted at once, after a look that they hold.
    function council(uint256 pick, uint8 code, bytes32 subject, bytes32 value, bool aimed) external {
        ICouncil.CouncilAct memory act = councilAct(code % 40, aimed ? ids[pick % 2] : subject, value);
        bytes32 before = everything(pick);
        if (act.act == Codes.REPLACE_MEMBER) {
            // By one whose key we know.
            uint256 newKey = 0x10002 + uint256(uint128(uint256(value))) * 4;
            if (!replaceMember(address(registry), NAME, pick % 3, newKey)) return idle();
            ++lawful;
            if (everything(pick) != before) broken = true;
            return;
        }
        try registry.decide(act, councilSignatures(address(registry), NAME, act, 2)) {
            ++lawful;
        } catch {
            ++unlawful;
        }
        if (registry.paused()) {
            mustRefuse(0);
            mustRefuse(1);
            decide(address(registry), NAME, Codes.UNPAUSE, 0, 0);
        }
        for (uint256 who = 0; who < 2; ++who) {
            (, bool suspended) = registry.agency(ids[who]);
            if (!suspended) continue;
            mustRefuse(who);
            decide(address(registry), NAME, Codes.RESUME_AGENCY, ids[who], 0);
        }
        if (everything(pick) != before) broken = true;
    }

    // --- the model ---

    /// @dev What the certificate at `place` must answer at `at`: the state told last among those effective by then.
    function expected(uint256 place, uint64 at) public view returns (uint8 code, uint8 reason) {
        IRightsRegistry.Entry memory e = known[place].entry;
        Told memory state = Told(0, Codes.STATUS_VALID, false, false);
        for (uint256 i = 0; i < told[place].length; ++i) {
            if (told[place][i].at <= at) state = told[place][i];
        }
        if (state.status == Codes.STATUS_SUPERSEDED) return (2, Codes.REASON_SUPERSEDED);
        if (state.status == Codes.STATUS_TRANSFERRED) return (2, Codes.REASON_TRANSFERRED);
        if (state.status == Codes.STATUS_LAPSED) return (2, Codes.REASON_LAPSED);
        if (state.status == Codes.STATUS_CANCELLED) return (2, Codes.REASON_CANCELLED);
        if (at < e.validFrom) return (2, Codes.REASON_NOT_YET_VALID);
        bool over = at >= e.validUntil;
        if (over && state.status == Codes.STATUS_VALID) return (2, Codes.REASON_LAPSED);
        if (state.encumbered && state.objection) return (3, Codes.REASON_ENCUMBERED_AND_OBJECTION);
        if (state.encumbered) return (3, Codes.REASON_ENCUMBERED);
        if (state.objection) return (3, Codes.REASON_OBJECTION);
        if (state.status == Codes.STATUS_VALID) return (1, Codes.REASON_VALID);
        return (over ? 3 : 1, Codes.REASON_RENEWAL_PENDING);
    }

    /// @dev Everything storage says of one certificate, against the model; `at` is any instant to ask about.
    function check(uint256 place, uint64 at) public view {
        bytes32 key = keyAt(place);
        IRightsRegistry.Entry memory e = known[place].entry;
        IRightsRegistry.Certificate memory c = registry.certificate(key);
        assertTrue(registry.matches(key, e.factSha256, e.factSm3), "digests");
        assertEq(c.validFrom, e.validFrom);
        assertEq(c.validUntil, e.validUntil);
        assertEq(c.index, known[place].index);
        Told memory now_ = last(place);
        assertEq(c.status, now_.status);
        assertTrue(c.encumbered == now_.encumbered && c.objection == now_.objection, "flags");
        (uint8 code, uint8 reason) = expected(place, uint64(block.timestamp));
        IRightsRegistry.Answer memory answer = registry.inForce(key);
        assertEq(answer.code, code);
        assertEq(answer.reason, reason);
        answer = registry.inForceAt(key, at);
        (code, reason) = expected(place, at);
        if (answer.reason == Codes.REASON_HISTORY) {
            assertTrue(at < block.timestamp && answer.code == Codes.UNKNOWN && known[place].everUndated, "history");
        } else {
            assertEq(answer.code, code);
            assertEq(answer.reason, reason);
        }
        // Version n+1 is never in force together with version n.
        if (e.version > 1) {
            bytes32 previous = keccak256(abi.encode(ids[known[place].who], uint8(1), e.code, e.version - 1));
            assertTrue(
                answer.code % 2 == 0 || registry.inForceAt(previous, at).code % 2 == 0, "two versions of one code"
            );
        }
    }

    function fresh(bytes32 code, uint32 version, uint32 from, uint16 life)
        private
        pure
        returns (IRightsRegistry.Entry memory e)
    {
        e = entry(code, version);
        (e.validFrom, e.validUntil) = (from, from + 1 + life % 5000);
    }

    function submit(uint256 who, IRightsRegistry.Entry[] memory entries) private {
        uint256 nonce = ++nextNonce;
        registry.deposit(
            ids[who], entries, nonce, DEADLINE, batchSignature(keys[who], ids[who], entries, nonce)
        );
        for (uint256 i = 0; i < entries.length; ++i) {
            if (next[who] % 34 == 0) next[who] = words++ * 34;
            known.push(Known(entries[i], who, next[who]++, false, false));
            touched[touches++ % 4] = known.length - 1;
        }
        ++lawful;
    }

    function tell(uint256 place, Told memory state, bool undated) private {
        told[place].push(state);
        known[place].undated = undated;
        if (undated) known[place].everUndated = true;
        uint256 wordIndex = known[place].index / 34;
        if (undated && state.at > latest[wordIndex]) latest[wordIndex] = state.at;
        touched[touches++ % 4] = place;
    }

    function last(uint256 place) private view returns (Told memory) {
        uint256 many = told[place].length;
        return many == 0 ? Told(0, Codes.STATUS_VALID, false, false) : told[place][many - 1];
    }

    function instant(uint256 place, uint16 back) private view returns (uint64 at) {
        at = uint64(block.timestamp) - back % 300;
        uint64 earliest = latest[known[place].index / 34];
        if (known[place].undated && at < earliest) at = earliest;
    }

    function living(uint256 pick) private view returns (bool, uint256) {
        for (uint256 i = 0; i < 12; ++i) {
            uint256 place = (pick % known.length + i) % known.length;
            if (last(place).status <= Codes.STATUS_RENEWAL_PENDING) return (true, place);
        }
        return (false, 0);
    }

    function keyAt(uint256 place) private view returns (bytes32) {
        IRightsRegistry.Entry storage e = known[place].entry;
        return keccak256(abi.encode(ids[known[place].who], e.paperType, e.code, e.version));
    }

    function mustRefuse(uint256 who) private {
        uint256 nonce = ++nextNonce;
        IRightsRegistry.Entry[] memory entries = list(fresh(bytes32(codes + 1), 1, uint32(block.timestamp), 9));
        try registry.deposit(
            ids[who], entries, nonce, DEADLINE, batchSignature(keys[who], ids[who], entries, nonce)
        ) {
            broken = true;
        } catch {
            ++unlawful;
        }
    }

    function everything(uint256 pick) private view returns (bytes32) {
        (address one,) = registry.agency(ids[0]);
        (address two,) = registry.agency(ids[1]);
        uint256 place = pick % known.length;
        return keccak256(
            abi.encode(
                registry.count(),
                one,
                two,
                registry.certificate(keyAt(place)),
                registry.certificate(keyAt(known.length - 1 - place))
            )
        );
    }
}

contract RightsRegistryInvariants is RightsBase {
    RightsHandler private handler;

    function setUp() public override {
        vm.warp(START);
        handler = new RightsHandler();
    }

    function targetContracts() public view returns (address[] memory) {
        return one(address(handler));
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory) {
        return setUpOf(address(handler));
    }

    /// @dev Nobody but the agency's key writes; what is written stays; status, force and count are those of the model.
    ///      After every call the certificates touched last and two others are compared, after a run all of them.
    function invariant_only_the_agency_writes_and_every_answer_is_the_models() public view {
        assertTrue(!handler.broken(), "a write that must not pass has passed");
        assertEq(handler.theRegistry().count(), handler.size());
        uint256 dice = uint256(keccak256(abi.encode(handler.lawful(), handler.unlawful(), handler.nothing())));
        uint64 at = uint64(block.timestamp + 300 - dice % 900);
        for (uint256 i = 0; i < 4; ++i) {
            handler.check(handler.touched(i), at);
        }
        handler.check(dice % handler.size(), at);
        handler.check((dice >> 128) % handler.size(), at);
    }

    function afterInvariant() external view {
        for (uint256 i = 0; i < handler.size(); ++i) {
            handler.check(i, uint64(block.timestamp) - uint64(uint256(keccak256(abi.encode(i))) % 2000));
        }
        handler.sayShares();
    }
}
