// Token ids of the lines on stdin, as the page of examples/icon-search reads them: `node tokens.mjs <tokenizer.json>`.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { idsOf, tokenizerOf } from "../../../../examples/icon-search/src/text.js";

const tokenizer = tokenizerOf(JSON.parse(readFileSync(process.argv[2], "utf8")));
console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map((line) => idsOf(tokenizer, line))));
