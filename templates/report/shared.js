// Which chunks serve whom: what is shared is stored and fetched once.
import { h, section, table } from "./dom.js";
import { showBytes } from "./format.js";

export function sharedSection(data) {
  const holder = section("shared", "Who shares what");
  const groups = new Map();
  for (const file of data.files) {
    const key = JSON.stringify(file.users);
    const group = groups.get(key) ?? { users: file.users, bytes: 0, files: [] };
    group.bytes += file.bytes;
    group.files.push(file);
    groups.set(key, group);
  }
  const ranked = [...groups.values()].sort((one, other) => other.users.length - one.users.length || other.bytes - one.bytes);
  const total = data.files.reduce((sum, file) => sum + file.bytes, 0);
  const saved = data.files.reduce((sum, file) => sum + file.bytes * (file.users.length - 1), 0);
  holder.append(h("p", { class: "lead", text: `${data.files.length} files, ${showBytes(total)}. ${saved ? `Without sharing they would be ${showBytes(total + saved)}.` : "Nothing is shared between variants or entries."}` }));
  const most = Math.max(...ranked.map((group) => group.bytes), 1);
  holder.append(h("ul", { class: "groups" }, ranked.map((group) => h("li", {}, h("details", {},
    h("summary", {},
      h("span", { class: "users" }, group.users.map((user) => h("span", { class: "chip", text: user }))),
      h("span", { class: "bar" }, h("span", { class: "track" }, h("i", { class: group.users.length > 1 ? "first" : "", style: { width: `${Math.max(1, (100 * group.bytes) / most)}%` } })), h("span", { class: "beside", text: `${showBytes(group.bytes)}, ${group.files.length} ${group.files.length === 1 ? "file" : "files"}` }))),
    table(`Files of ${group.users.join(", ")}`, ["file", "kind", "size", "compressed"], group.files.map((file) => [h("span", { class: "mono", text: file.file }), file.kind, showBytes(file.bytes), Object.entries(file.compressed).map(([kind, bytes]) => `${kind} ${showBytes(bytes)}`).join(", ")])))))));
  return holder;
}
