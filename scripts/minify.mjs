// {"name.js": source} on stdin, the same minified on stdout. What bundlers look for stays: literal imports and URLs,
// and the comments that they act on.

import { text } from "node:stream/consumers";
import { minify } from "terser";

const OPTIONS = {
  module: true,
  ecma: 2022,
  compress: { passes: 3, ecma: 2022 },
  format: { comments: /webpackIgnore|@vite-ignore/ },
};
const modules = JSON.parse(await text(process.stdin));
const minified = await Promise.all(Object.entries(modules).map(async ([name, source]) => [name, `${(await minify(source, OPTIONS)).code}\n`]));
process.stdout.write(JSON.stringify(Object.fromEntries(minified)));
