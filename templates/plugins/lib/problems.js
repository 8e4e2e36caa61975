// Problems as text for a terminal or a bundler's own overlay.

/** @typedef {{code: string, what: string, fix: string, file?: string, line?: number, frame?: string, entry?: string, step?: string, severity?: string}} Problem */

/** @param {readonly Problem[]} problems @returns {string} */
export const describe = (problems) => problems.filter(({ severity }) => severity !== "warning").map(one).join("\n\n");

/** @param {Problem} problem */
function one({ code, what, fix, file, line, frame, entry, step }) {
  const about = [entry, step].filter(Boolean).join(" › ");
  const place = file ? `${file}${line ? `:${line}` : ""}` : "";
  return [`${code}${about ? ` ${about}` : ""}: ${what}`, place, frame, `fix: ${fix}`].filter(Boolean).join("\n");
}
