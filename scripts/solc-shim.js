#!/usr/bin/env node
// Makes the npm package `solc` answer like the native compiler, for forge and py-solc-x: --version and --standard-json.
console.log = () => {}; // the package prints a notice; stdout must carry nothing but the answer
const solc = require("solc");
const fs = require("fs");
const path = require("path");

const args = process.argv.slice(2);
if (args.includes("--version")) {
  const version = solc.version().replace("Emscripten.clang", "Linux.g++");
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else if (args.includes("--standard-json")) {
  const given = args.flatMap((arg, i) => (["--base-path", "--include-path"].includes(arg) ? [args[i + 1]] : []));
  const load = (name) => {
    for (const root of [...given, "."]) {
      const file = path.resolve(root, name);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
    }
    return { error: `File not found: ${name}` };
  };
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), { import: load }));
} else {
  process.stderr.write("solc-shim: only --version and --standard-json\n");
  process.exit(1);
}
