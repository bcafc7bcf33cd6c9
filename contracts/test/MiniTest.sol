// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @dev The cheat codes used here, and nothing more of them.
interface Vm {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function warp(uint256 timestamp) external;
    function chainId(uint256 id) external;
    function addr(uint256 privateKey) external pure returns (address);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function expectRevert(bytes calldata revertData) external;
    function expectRevert(bytes4 selector) external;
    function expectRevert() external;
    function assume(bool condition) external pure;
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonStringArray(string calldata json, string calldata key) external pure returns (string[] memory);
    function parseJsonKeys(string calldata json, string calldata key) external pure returns (string[] memory);
    function lastCallGas() external view returns (Gas memory);
}

/// @dev Functions that forge's invariant runs leave out (or keep to), by contract.
struct FuzzSelector {
    address addr;
    bytes4[] selectors;
}

/// @dev Assertions over the cheat codes; a failed one reverts with both sides.
abstract contract MiniTest {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(bytes32 left, bytes32 right);
    error AboveLimit(uint256 value, uint256 limit);
    error Failed(string what);

    address private constant CONSOLE = 0x000000000000000000636F6e736F6c652e6c6f67;

    /// @dev Prints a figure (forge test -vv).
    function say(string memory what, uint256 figure) internal view {
        (bool done,) = CONSOLE.staticcall(abi.encodeWithSignature("log(string,uint256)", what, figure));
        assertTrue(done, "console");
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert Failed(what);
    }

    function assertEq(bytes32 left, bytes32 right) internal pure {
        if (left != right) revert NotEqual(left, right);
    }

    function assertEq(uint256 left, uint256 right) internal pure {
        assertEq(bytes32(left), bytes32(right));
    }

    function assertEq(address left, address right) internal pure {
        assertEq(uint256(uint160(left)), uint256(uint160(right)));
    }

    function assertAtMost(uint256 value, uint256 limit) internal pure {
        if (value > limit) revert AboveLimit(value, limit);
    }
}
