// A variant's tensors as a tree, by one of four questions.
import { showBytes } from "./format.js";

const MOST = 240;

export const GROUPINGS = {
  layer: { title: "layer", path: (row) => row.layer },
  op: { title: "operator", path: (row) => [row.op, ...row.layer] },
  dtype: { title: "dtype", path: (row) => [row.dtype, ...row.layer] },
  chunk: { title: "chunk", path: (row) => [row.chunk || "alignment"] },
};

export function treeOf(rows, grouping, title) {
  const root = branch(title);
  for (const row of rows) {
    let node = root;
    node.bytes += row.bytes;
    for (const name of GROUPINGS[grouping].path(row)) {
      if (!node.named.has(name)) node.named.set(name, branch(name, node));
      node = node.named.get(name);
      node.bytes += row.bytes;
    }
    const leaf = node.leaves.get(row.name);
    if (leaf && grouping !== "chunk") {
      leaf.bytes += row.bytes;
      leaf.pieces += 1;
    } else node.leaves.set(row.name, { name: row.name, row, bytes: row.bytes, pieces: 1, children: [], parent: node });
  }
  finish(root);
  return root;
}

function branch(name, parent = null) {
  return { name, parent, bytes: 0, named: new Map(), leaves: new Map(), children: [], row: null };
}

function finish(node) {
  const children = [...node.named.values(), ...node.leaves.values()];
  for (const child of node.named.values()) finish(child);
  node.children = children.map(lifted).sort((one, other) => other.bytes - one.bytes);
  if (node.children.length > MOST) node.children = bundled(node);
  for (const child of node.children) child.parent = node;
  delete node.named;
  delete node.leaves;
}

// A branch with one child says no more than the child: "a" with "b" in it is "a/b".
function lifted(node) {
  if (node.row || node.children.length !== 1) return node;
  const [child] = node.children;
  return { ...child, name: child.row ? `${node.name}/${lastPart(child.name, node.name)}` : `${node.name}/${child.name}`, children: adopt(child) };
}

function adopt(node) {
  return node.children;
}

function lastPart(name, above) {
  const tail = name.split(/[/.]/).pop();
  return tail && name.includes(above) ? tail : name;
}

function bundled(node) {
  const rest = node.children.slice(MOST);
  const bytes = rest.reduce((sum, child) => sum + child.bytes, 0);
  const more = { name: `${rest.length} smaller ones, ${showBytes(bytes)}`, parent: node, bytes, children: rest, row: null };
  if (rest.length > MOST) more.children = bundled({ children: rest });
  for (const child of more.children) child.parent = more;
  return [...node.children.slice(0, MOST), more];
}

export function pathTo(node) {
  return node.parent ? [...pathTo(node.parent), node] : [node];
}

export function leavesOf(node) {
  return node.row ? [node] : node.children.flatMap(leavesOf);
}
