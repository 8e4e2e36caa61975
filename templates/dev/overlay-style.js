// A module and not a style sheet: a file would need `style-src` in the page's policy.

export const STYLE = `
:host { all: initial; position: fixed; inset: 0; z-index: 2147483647; }
.behind { position: absolute; inset: 0; overflow: auto; background: rgb(10 12 16 / .62); padding: min(6vh, 4rem) 1.25rem; box-sizing: border-box; }
.panel { box-sizing: border-box; max-width: 54rem; margin: 0 auto; background: #181b21; color: #e6e9ee; border-radius: 10px; border-top: 5px solid #f0616d; box-shadow: 0 18px 60px rgb(0 0 0 / .5); font: 15px/1.55 system-ui, sans-serif; overflow: hidden; }
header { display: flex; align-items: baseline; gap: .6rem; padding: 1rem 1.5rem .2rem; }
header b { color: #5cc8d7; }
header span { color: #f0616d; font-weight: 600; }
.close { margin-left: auto; border: 0; background: none; color: #9aa3af; font: 1.5rem/1 system-ui; cursor: pointer; padding: 0 .2rem; }
.close:hover, .close:focus-visible { color: #fff; }
article { padding: .8rem 1.5rem 1rem; }
article + article { border-top: 1px solid #2a2f38; }
p { margin: 0 0 .7rem; overflow-wrap: anywhere; }
.place { display: flex; flex-wrap: wrap; gap: .3rem .8rem; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; color: #9aa3af; }
.code { color: #f0616d; }
.about { color: #e5c07b; }
.file { color: #5cc8d7; }
.what { font-size: 16px; white-space: pre-wrap; }
pre { margin: 0 0 .8rem; padding: .8rem 1rem; background: #101216; border-radius: 6px; overflow: auto; font: 13px/1.6 ui-monospace, "SF Mono", Menlo, Consolas, monospace; tab-size: 4; }
.line { display: block; white-space: pre; color: #9aa3af; }
.here { color: #fff; }
.mark { color: #f0616d; }
.fix { margin-bottom: 0; }
.fix b { color: #8fce7e; }
footer { padding: .8rem 1.5rem; background: #14171c; color: #8b94a1; font-size: 13px; }
`;
