// The look of the report: light and dark, and on paper.

export const STYLE = `
:root { color-scheme: light dark; --ink: #1b2733; --soft: #5b6b7a; --line: #d5dce3; --ground: #fff; --panel: #f5f7f9; --warn: #a33800;
  --c0: #2166ac; --c1: #c2570c; --c2: #1a7f5a; --c3: #8a3a8f; --c4: #b08900; --c5: #4c7fb8; --c6: #b3405c; --c7: #5f7a1f;
  --c8: #7a5c3e; --c9: #56617a; --c10: #0f8a9d; --c11: #9aa5b1; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4eaf0; --soft: #9fb0c0; --line: #35424f; --ground: #12181f; --panel: #1b242d; --warn: #ffa366;
    --c0: #6cabea; --c1: #f0904a; --c2: #4fc39a; --c3: #cf8bd6; --c4: #dcb83f; --c5: #94bfe8; --c6: #ec8aa3; --c7: #a9c763;
    --c8: #c3a180; --c9: #9fadc9; --c10: #56c6d6; --c11: #66727e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, "Noto Sans", "Noto Sans CJK JP", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; }
p, dl { margin: .4rem 0; } .soft { color: var(--soft); } .warn { color: var(--warn); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; } dt { color: var(--soft); } dd { margin: 0; }
figure { margin: .8rem 0 0; padding: .9rem 1rem; background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; overflow-x: auto; }
figcaption { font-weight: 600; margin-bottom: .4rem; } figure > svg { display: block; width: 100%; min-width: 34rem; height: auto; }
svg text { fill: var(--ink); font: 13px system-ui, "Noto Sans", "Noto Sans CJK JP", sans-serif; } svg .soft { fill: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; overflow-wrap: normal; }
th { font-weight: 600; } td { white-space: nowrap; } td.n, th.n { text-align: right; }
td.name { min-width: 12rem; white-space: normal; overflow-wrap: anywhere; }
details summary { cursor: pointer; color: var(--soft); margin-top: .5rem; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .5rem 0 0; padding: 0; list-style: none; font-size: .9rem; }
.key svg { display: inline-block; width: .9em; height: .9em; margin-right: .35em; vertical-align: -.1em; }
@media print { body { max-width: none; } figure { break-inside: avoid; } }
`;
