// Runs the script of the built verifier page in Node, line by line: {"bundle", "trust", "head"?, "rpc"?}, the files in
// base64, on stdin; one report, {"unusable": why} or {"crash": why} a line on stdout. The page's own bytes, not its sources.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const html = readFileSync(process.argv[2], "utf8");
(0, eval)(html.slice(html.indexOf("<script>") + 8, html.lastIndexOf("</script>")));
const { Node, readGiven, readTrust, verify } = globalThis.ShuQing;
const bytes = (text) => new Uint8Array(Buffer.from(text ?? "", "base64"));

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    const trust = readTrust(bytes(asked.trust));
    const node = asked.rpc ? new Node(asked.rpc) : null;
    answer = await verify(bytes(asked.bundle), trust, node, asked.head ? readGiven(bytes(asked.head), trust) : null);
  } catch (error) {
    answer = error.constructor.name === "Unusable" ? { unusable: error.message } : { crash: error.stack };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
