"""The look of the page that explains a run."""

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ground:#f4f5f7;--ink:#1c2128;--soft:#59636e;
--line:#d8dde3;--good:#17723a;--good-bg:#dcf3e3;--bad:#b3261e;--bad-bg:#fbe4e2;--warn:#8a5a00;
--warn-bg:#fdefd0;--apply:#2f6fdb;--verify:#8db4f2;--undo:#8250c4;--code:#eef0f3}
@media (prefers-color-scheme:dark){:root{--paper:#1b2027;--ground:#12161b;--ink:#e4e8ec;
--soft:#9aa5b1;--line:#343c46;--good:#6fd592;--good-bg:#163522;--bad:#ff8f86;--bad-bg:#42201e;
--warn:#f0be5f;--warn-bg:#3a2d10;--apply:#5b97f5;--verify:#34588f;--undo:#b48cf0;--code:#262d36}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 3rem}
header,section{background:var(--paper);border:1px solid var(--line);border-radius:.6rem;
padding:1.1rem 1.25rem;margin-bottom:1rem;overflow-wrap:anywhere}
h1{font-size:1.35rem;line-height:1.3;margin:.5rem 0 1rem}
h2{font-size:.8rem;letter-spacing:.05em;text-transform:uppercase;color:var(--soft);margin:0 0 .8rem}
p{margin:.5rem 0}
code,pre,time{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.85em}
pre{background:var(--code);border-radius:.4rem;padding:.75rem;margin:.75rem 0;max-height:28rem;
overflow:auto;white-space:pre-wrap}
.badge{display:inline-block;margin:0;padding:.1rem .65rem;border-radius:1rem;font-weight:600;
font-size:.85rem}
.badge.good{color:var(--good);background:var(--good-bg)}
.badge.bad{color:var(--bad);background:var(--bad-bg)}
.badge.warn{color:var(--warn);background:var(--warn-bg)}
.minor{color:var(--soft);font-size:.875rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.7rem 1.5rem;margin:0}
dt{color:var(--soft);font-size:.8rem}
dd{margin:0}
dl.wide{grid-template-columns:1fr}
dl.wide div{display:grid;grid-template-columns:9rem 1fr;gap:.75rem}
.error{border-left:4px solid var(--bad);padding-left:.75rem;font-size:1.05rem}
.next{margin:1rem 0 0}
.next>span{font-weight:600;margin-right:.4rem}
.next i{font-style:normal;white-space:nowrap}
.next code{background:var(--code);border-radius:.3rem;padding:.2rem .45rem;
-webkit-box-decoration-break:clone;box-decoration-break:clone}
ul,ol{list-style:none;margin:0;padding:0}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;font-size:.8rem;color:var(--soft);
margin-bottom:.8rem}
.legend i{display:inline-block;position:static;width:1.4rem;height:.7rem;margin-right:.4rem;
vertical-align:-1px}
.chart li,.axis{display:grid;grid-template-columns:15rem 1fr;gap:.75rem;align-items:center}
.chart li{padding:.3rem 0;border-top:1px solid var(--line)}
.name{display:flex;justify-content:space-between;gap:.75rem;min-width:0}
.name b{font-weight:600}
.name span{color:var(--soft);font-size:.8rem;text-align:right;white-space:nowrap;padding-top:.15rem}
.quiet b{font-weight:400;color:var(--soft)}
.track{position:relative;height:1.2rem}
.bar{position:absolute;top:.15rem;height:.9rem;min-width:4px;border-radius:2px}
.bar.apply{background:var(--apply)}
.bar.verify{background:var(--verify)}
.bar.undo{background:var(--undo)}
.bar.failed{background:var(--bad)}
.bar.cut{background:repeating-linear-gradient(45deg,var(--warn) 0 4px,transparent 4px 7px);
border:1px solid var(--warn)}
.stripe{position:absolute;top:-.3rem;bottom:-.3rem;
background:repeating-linear-gradient(90deg,var(--line) 0 1px,transparent 1px 5px)}
.axis{border-top:1px solid var(--line);padding-top:.35rem}
.axis .track{grid-column:2;height:2.6rem}
.axis span{position:absolute;font-size:.75rem;line-height:1.3;color:var(--soft);overflow:hidden;
text-overflow:ellipsis;white-space:nowrap;padding-right:.3rem}
.axis .between{text-align:center;padding:0;overflow:visible;display:flex;justify-content:center}
.changes li{display:grid;grid-template-columns:9rem 1fr;gap:.75rem;padding:.35rem 0;
border-top:1px solid var(--line)}
.changes li:first-child{border-top:0}
.changes .minor{display:block}
.records li{display:grid;grid-template-columns:5.2rem 1fr;gap:.75rem;padding:.22rem 0}
.records time{color:var(--soft);padding-top:.15rem}
.records .bad span{color:var(--bad)}
.records .gap{display:block;text-align:center;color:var(--soft);font-size:.85rem;margin:.5rem 0;
padding:.35rem;background:repeating-linear-gradient(90deg,var(--line) 0 1px,transparent 1px 6px)}
.gap span{background:var(--paper);padding:.1rem .6rem;border-radius:1rem}
@media (max-width:40rem){main{padding:.6rem .5rem 2rem}header,section{padding:.9rem}
.chart li,.axis{grid-template-columns:1fr;gap:.15rem}.chart li{padding:.45rem 0}
.axis .track{grid-column:1}.changes li{grid-template-columns:1fr;gap:.1rem}
dl.wide div{grid-template-columns:1fr;gap:0}}
@media print{body{background:none}header,section{break-inside:avoid;border-color:#999}}
"""
