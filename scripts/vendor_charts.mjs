// Makes templates/report/vendor: the part of Observable Plot and d3-hierarchy that the report uses, as one script.
// `node scripts/vendor_charts.mjs` writes it; with --check it only compares, for CI. The versions are those of
// package-lock.json, so the wheel needs no npm and anybody can make the same bytes again.
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const vendor = join(root, 'templates/report/vendor')
const ENTRY = `
export { axisX, axisY, barX, dot, gridX, gridY, line, link, plot, ruleX, ruleY, text } from '@observablehq/plot'
export { hierarchy, treemap } from 'd3-hierarchy'
`
const fromVite = createRequire(createRequire(join(root, 'package.json')).resolve('vite'))
const { build } = await import(pathToFileURL(fromVite.resolve('rolldown')).href)

const output = await bundled()
const packages = licensed(output.moduleIds)
const files = {
  'charts.js': output.code,
  'charts.json': JSON.stringify({ sha256: sha256(output.code).toString('hex'), packages: packages.versions,
    style: `'sha256-${sha256(plotStyle(output.code)).toString('base64')}'` }, null, 1) + '\n',
  'LICENSES.txt': packages.licences,
}
let stale = false
for (const [name, text] of Object.entries(files)) {
  const path = join(vendor, name)
  const same = existsSync(path) && readFileSync(path, 'utf8') === text
  if (!same) stale = true
  if (!same && !process.argv.includes('--check')) writeFileSync(path, text)
}
if (process.argv.includes('--check') && stale) {
  console.error('templates/report/vendor is not what npm gives: run node scripts/vendor_charts.mjs')
  process.exit(1)
}

async function bundled() {
  const entry = join(root, '.vendor-charts.mjs')
  writeFileSync(entry, ENTRY)
  try {
    const made = await build({ input: entry, write: false, logLevel: 'silent',
      output: { format: 'iife', name: 'charts', minify: true } })
    return made.output[0]
  } finally {
    rmSync(entry)
  }
}

function licensed(modules) {
  const versions = {}
  const texts = []
  for (const module of modules) {
    const found = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(module)
    if (!found || versions[found[2]]) continue
    const about = JSON.parse(readFileSync(join(found[1], 'package.json'), 'utf8'))
    versions[found[2]] = about.version
    texts.push(`${found[2]} ${about.version} (${about.license})\n\n${readFileSync(join(found[1], 'LICENSE'), 'utf8')}`)
  }
  return { versions: Object.fromEntries(Object.entries(versions).sort()), licences: texts.sort().join('\n----\n\n') }
}

// Plot puts one <style> into each chart; the page's policy lets it pass by the hash of its text.
function plotStyle(code) {
  const found = /`(:where\(\.\$\{\w+\}\) \{\s*--plot-background[^`]*)`/.exec(code)
  return found[1].replaceAll(/\$\{[^}]*\}/g, 'plot-d6a7b5').replaceAll('\\n', '\n')
}

function sha256(text) {
  return createHash('sha256').update(text).digest()
}
