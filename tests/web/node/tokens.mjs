// Says whether pairs of JavaScript files are the same program to TypeScript's parser. Usage: node tokens.mjs one two...
import fs from "node:fs";
import ts from "typescript";

const leaves = (file) => {
  const source = ts.createSourceFile("it.js", fs.readFileSync(file, "utf8"), ts.ScriptTarget.ES2022, false, ts.ScriptKind.JS);
  if (source.parseDiagnostics.length) throw new Error(JSON.stringify(source.parseDiagnostics[0].messageText));
  const found = [];
  const visit = (node) => {
    const children = [];
    ts.forEachChild(node, (child) => void children.push(child));
    const { text } = node;
    found.push(`${ts.SyntaxKind[node.kind]} ${node.flags & 7} ${typeof text === "string" && node.kind !== ts.SyntaxKind.SourceFile ? text : ""}`);
    children.forEach(visit);
    found.push("end");
  };
  visit(source);
  return found;
};
const files = process.argv.slice(2);
while (files.length) {
  const [one, two] = files.splice(0, 2).map(leaves);
  const at = one.findIndex((leaf, index) => leaf !== two[index]);
  if (at < 0 && one.length === two.length) continue;
  console.error(`differ at ${at}: ${one.slice(at - 3, at + 3).join(" | ")} // ${two.slice(at - 3, at + 3).join(" | ")}`);
  process.exitCode = 1;
}
