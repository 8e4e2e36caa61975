// What the bytes of a variant are: a treemap that can be zoomed, searched and walked by keyboard, and the same as a list.
import { choice, h, section, table, whenWide } from "./dom.js";
import { showBytes, showShare } from "./format.js";
import { hideTip, withTip } from "./tip.js";
import { GROUPINGS, leavesOf, pathTo, treeOf } from "./tree.js";

const LEVELS = 3;
const HEAD = 20;
const COLOURS = 7;

export function bytesSection(entries) {
  const holder = section("bytes", "What the bytes are", "Each rectangle is a tensor; its area is its share of the download. Select one to zoom in.");
  const map = new ByteMap(entries);
  holder.append(map.controls, map.crumbs, map.legend, map.stage, map.detail, h("h3", { text: "Heaviest here" }), map.list);
  return holder;
}

class ByteMap {
  constructor(entries) {
    this.variants = entries.flatMap((entry) => entry.variants.map((variant) => ({ key: `${entry.name}/${variant.name}`, variant })));
    this.chosen = this.variants[0];
    this.grouping = "layer";
    this.paint = null;
    this.query = "";
    this.found = h("span", { class: "found", role: "status" });
    this.crumbs = h("nav", { class: "crumbs", "aria-label": "Zoom path" });
    this.legend = h("ul", { class: "legend", "aria-label": "Colours" });
    this.stage = h("div", { class: "treemap", role: "tree", "aria-label": "Bytes by group", on: { keydown: (event) => this.key(event) } });
    this.detail = h("p", { class: "detail", "aria-live": "polite" });
    this.list = h("div", { class: "list" });
    this.controls = this.bar();
    this.grow();
    whenWide(this.stage, () => this.draw());
  }

  bar() {
    const search = h("input", { type: "search", id: "tensor-search", placeholder: "attention, MatMul, float32 …", autocomplete: "off", spellcheck: "false",
      on: { input: () => { this.query = search.value.trim().toLowerCase(); this.draw(); } } });
    const colours = [["auto", "by what differs"], ["op", "operator"], ["dtype", "dtype"]];
    return h("div", { class: "controls" },
      choice("Variant", this.variants.map(({ key }) => [key, key]), this.chosen.key, (key) => {
        this.chosen = this.variants.find((one) => one.key === key);
        this.grow();
        this.draw();
      }),
      choice("Group by", Object.entries(GROUPINGS).map(([key, { title }]) => [key, title]), this.grouping, (key) => {
        this.grouping = key;
        this.grow();
        this.draw();
      }),
      choice("Colour", colours, "auto", (key) => { this.wanted = key; this.colour(); this.draw(); }),
      h("span", { class: "control search" }, h("label", { for: search.id, text: "Search" }), search, this.found));
  }

  grow() {
    this.root = treeOf(this.chosen.variant.tensors, this.grouping, this.chosen.key);
    this.focus = this.root;
    this.colour();
  }

  // Colours tell dtypes apart where there are several, else operators; the seven heaviest have one each.
  colour() {
    const rows = this.chosen.variant.tensors;
    const sums = (field) => {
      const found = new Map();
      for (const row of rows) found.set(row[field], (found.get(row[field]) ?? 0) + row.bytes);
      return [...found].sort((one, other) => other[1] - one[1]);
    };
    const total = rows.reduce((sum, row) => sum + row.bytes, 0);
    const dtypes = sums("dtype");
    const several = dtypes.filter(([, bytes]) => bytes > total * 0.05).length > 1;
    this.field = this.wanted && this.wanted !== "auto" ? this.wanted : several ? "dtype" : "op";
    const ranked = this.field === "dtype" ? dtypes : sums("op");
    this.paint = new Map(ranked.slice(0, COLOURS).map(([name], index) => [name, index]));
    const rest = ranked.slice(COLOURS).reduce((sum, [, bytes]) => sum + bytes, 0);
    const items = ranked.slice(0, COLOURS).map(([name, bytes], index) => [shortOp(name), bytes, index]);
    if (rest > 0) items.push(["others", rest, COLOURS]);
    this.legend.replaceChildren(...items.map(([name, bytes, index]) =>
      h("li", {}, h("i", { class: `swatch c${index}` }), name, h("span", { class: "dim", text: ` ${showBytes(bytes)}` }))));
  }

  draw() {
    hideTip();
    const width = Math.floor(this.stage.clientWidth);
    const height = Math.floor(this.stage.clientHeight);
    if (!width || !height) return;
    const near = new Map([[this.focus, 0]]);
    const below = (node) => {
      const level = near.get(node);
      if (level >= LEVELS) return null;
      for (const child of node.children) near.set(child, child.bytes > node.bytes * 0.8 ? level : level + 1);
      return node.children.length ? node.children : null;
    };
    const laid = charts.hierarchy(this.focus, below).sum((node) => (node.children.length && near.get(node) < LEVELS ? 0 : node.bytes));
    charts.treemap().size([width, height]).paddingInner(2).paddingOuter((node) => (node.depth ? 2 : 0)).paddingTop((node) => (node.depth && node.y1 - node.y0 > 34 ? HEAD : node.depth ? 2 : 0)).round(true)(laid);
    const hits = this.query ? new Set(leavesOf(this.root).filter((leaf) => matches(leaf.row, this.query))) : null;
    this.tellFound(hits);
    this.cells = shownCells(laid).map((cell) => this.cell(cell, hits));
    if (this.cells[0]) this.cells[0].tabIndex = 0;
    this.stage.replaceChildren(...(this.cells.length ? this.cells : [h("p", { class: "filler", role: "treeitem", text: this.chosen.variant.note || "There are no tensors in it." })]));
    this.path();
    this.heaviest();
    this.detail.textContent = `${this.focus.name}: ${showBytes(this.focus.bytes)}, ${showShare(this.focus.bytes, this.root.bytes)} of ${this.chosen.key}`;
  }

  cell(cell, hits) {
    const node = cell.data;
    const group = node.children.length > 0;
    const open = hasRoom(cell);
    const width = cell.x1 - cell.x0;
    const label = `${node.name} ${showBytes(node.bytes)}, ${showShare(node.bytes, this.root.bytes)}`;
    const miss = hits && !(group ? leavesOf(node).some((leaf) => hits.has(leaf)) : hits.has(node));
    const element = h("div", {
      class: `cell ${open ? "open" : `c${this.colourOf(node)}`}${miss ? " miss" : ""}`, role: "treeitem", tabindex: "-1", "aria-level": cell.depth,
      "aria-label": label, "aria-expanded": group ? String(open) : null,
      style: { left: `${cell.x0}px`, top: `${cell.y0}px`, width: `${width}px`, height: `${cell.y1 - cell.y0}px` },
      on: { click: (event) => { event.stopPropagation(); this.enter(node); } },
    });
    if (width > 34 && cell.y1 - cell.y0 > 15) {
      element.append(h("span", { class: "name", text: node.name }));
      if (open ? width > 130 : cell.y1 - cell.y0 > 32) element.append(" ", h("span", { class: "size", text: showBytes(node.bytes) }));
    }
    withTip(element, () => this.lines(node));
    element.addEventListener("focus", () => { this.detail.textContent = this.lines(node).join(" · "); });
    return element;
  }

  colourOf(node) {
    const sums = new Map();
    for (const leaf of leavesOf(node)) sums.set(leaf.row[this.field], (sums.get(leaf.row[this.field]) ?? 0) + leaf.bytes);
    const [most] = [...sums].sort((one, other) => other[1] - one[1])[0] ?? [""];
    return this.paint.get(most) ?? COLOURS;
  }

  lines(node) {
    const share = `${showBytes(node.bytes)}, ${showShare(node.bytes, this.root.bytes)}`;
    if (!node.row) return [node.name, share, `${leavesOf(node).length} tensors`];
    const { name, op, dtype, shape, chunk, layer } = node.row;
    return [name, share, [dtype, shape].filter(Boolean).join(" "), op, layer.join(" / "), node.pieces > 1 ? `in ${node.pieces} chunks` : chunk].filter((line) => line && line !== "(graph)");
  }

  enter(node) {
    if (node.children.length) {
      this.focus = node;
      this.draw();
      this.cells[0]?.focus({ preventScroll: true });
    } else this.detail.textContent = this.lines(node).join(" · ");
  }

  leave() {
    const from = this.focus;
    if (!from.parent) return;
    this.focus = from.parent;
    this.draw();
    this.cells.find((cell) => cell.getAttribute("aria-label").startsWith(`${from.name} `))?.focus({ preventScroll: true });
  }

  key(event) {
    const at = this.cells.indexOf(event.target);
    if (at < 0) return;
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: this.cells.length - 1 }[event.key];
    if (to !== undefined) this.cells[Math.max(0, Math.min(to, this.cells.length - 1))].focus({ preventScroll: true });
    else if (event.key === "Enter" || event.key === " ") event.target.click();
    else if (event.key === "Escape" || event.key === "Backspace") this.leave();
    else return;
    event.preventDefault();
  }

  path() {
    const parts = pathTo(this.focus);
    this.crumbs.replaceChildren(...parts.flatMap((node, index) => [
      index ? h("span", { class: "dim", "aria-hidden": "true", text: "›" }) : null,
      h("button", { type: "button", text: node.name, "aria-current": node === this.focus ? "true" : null, on: { click: () => { this.focus = node; this.draw(); } } }),
    ].filter(Boolean)));
  }

  tellFound(hits) {
    const bytes = hits ? [...hits].reduce((sum, leaf) => sum + leaf.bytes, 0) : 0;
    this.found.textContent = hits ? `${hits.size} ${hits.size === 1 ? "tensor" : "tensors"}, ${showBytes(bytes)}` : "";
  }

  heaviest() {
    const leaves = leavesOf(this.focus).filter((leaf) => !this.query || matches(leaf.row, this.query)).sort((one, other) => other.bytes - one.bytes).slice(0, 12);
    const rows = leaves.map((leaf) => [h("span", { class: "mono", text: leaf.row.name }), showBytes(leaf.bytes), showShare(leaf.bytes, this.root.bytes), leaf.row.dtype, leaf.row.shape, shortOp(leaf.row.op)]);
    this.list.replaceChildren(table("Heaviest tensors", ["tensor", "size", "share", "dtype", "shape", "operator"], rows));
  }
}

// A group without room for its parts is one rectangle, and can be zoomed into.
function hasRoom(cell) {
  return Boolean(cell.children) && cell.x1 - cell.x0 > 64 && cell.y1 - cell.y0 > 56;
}

function shownCells(laid) {
  const found = [];
  const visit = (cell) => {
    if (cell.x1 - cell.x0 <= 3 || cell.y1 - cell.y0 <= 3 || !cell.value) return;
    found.push(cell);
    if (hasRoom(cell)) cell.children.forEach(visit);
  };
  (laid.children ?? []).forEach(visit);
  return found;
}

function shortOp(op) {
  return op.split("::").pop();
}

function matches(row, query) {
  return `${row.layer.join("/")}/${row.name} ${row.op} ${row.dtype} ${row.chunk}`.toLowerCase().includes(query);
}
