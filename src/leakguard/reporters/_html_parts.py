"""Style and script of the HTML report."""

STYLE = """
:root{--bg:#f7f7f5;--card:#fff;--ink:#1c1d21;--soft:#5b5f68;--line:#dcdde1;--mark:#ffe2dd;--markink:#8c1d0f;--critical:#a4130b;--high:#b4410b;--medium:#7a5b00;--low:#2a5f8f;--good:#1b6b3a;--code:#f0f0ed}
@media (prefers-color-scheme:dark){:root{--bg:#16171b;--card:#1f2026;--ink:#ececf0;--soft:#a6aab5;--line:#363842;--mark:#55201a;--markink:#ffc9c0;--critical:#ff8a80;--high:#ffa270;--medium:#e6c455;--low:#8ec1f0;--good:#77d39a;--code:#282a31}}
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main{max-width:72rem;margin:0 auto;padding:1.25rem 1.25rem 0}
header{border-bottom:1px solid var(--line);padding-bottom:1rem}
header p{margin:.25rem 0;color:var(--soft);overflow-wrap:anywhere}.brand{font-weight:600;letter-spacing:.02em}
h1{font-size:1.75rem;line-height:1.2;margin:.25rem 0 .5rem}h2{font-size:1.2rem;margin:2rem 0 .75rem}h3{font-size:1.02rem;margin:0 0 .4rem}
.bad h1{color:var(--critical)}.warn h1{color:var(--medium)}.good h1{color:var(--good)}
.bar{display:flex;height:.6rem;border-radius:.3rem;overflow:hidden;background:var(--line);margin:.75rem 0 .4rem}.bar i{display:block}.ok{background:var(--good)}.chosen{background:var(--soft)}.missed{background:var(--critical)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr));gap:.75rem;margin-top:1.25rem}
.tile{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--soft);border-radius:.5rem;padding:.75rem 1rem}
.tile b{display:block;font-size:1.8rem;line-height:1.1}.tile span{color:var(--soft)}.tile.none b{color:var(--soft);font-weight:400}
.tile.critical{border-left-color:var(--critical)}.tile.high{border-left-color:var(--high)}.tile.medium{border-left-color:var(--medium)}.tile.low{border-left-color:var(--low)}
.wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
table{border-collapse:collapse;width:100%;font-size:.93rem}th,td{text-align:left;padding:.55rem .75rem;border-bottom:1px solid var(--line);vertical-align:top}tbody tr:last-child td{border-bottom:0}
th{color:var(--soft);font-weight:600}th button{all:unset;cursor:pointer}th button:focus-visible,a:focus-visible,summary:focus-visible,input:focus-visible{outline:2px solid var(--low);outline-offset:2px}
a{color:inherit}code,pre,.path{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em}.path{overflow-wrap:anywhere}
.chip{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:0 .55rem;font-size:.82rem;color:var(--soft)}.chip.critical{color:var(--critical)}.chip.high{color:var(--high)}.chip.medium{color:var(--medium)}.chip.low{color:var(--low)}
article{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--soft);border-radius:.5rem;padding:1rem;margin:0 0 1rem;break-inside:avoid}
article.critical{border-left-color:var(--critical)}article.high{border-left-color:var(--high)}article.medium{border-left-color:var(--medium)}article.low{border-left-color:var(--low)}
article p{margin:.35rem 0}pre{background:var(--code);border-radius:.4rem;padding:.6rem .75rem;overflow-x:auto;margin:.5rem 0}pre span{color:var(--soft)}
mark{background:var(--mark);color:var(--markink);border-radius:.2rem;padding:0 .15rem}
details{margin:.4rem 0}summary{cursor:pointer;color:var(--soft)}ul{margin:.4rem 0;padding-left:1.4rem}.reasons{list-style:none;padding-left:.4rem}.reasons b{display:inline-block;width:3.6rem;font-variant-numeric:tabular-nums}
.next{color:var(--soft)}.tools input{font:inherit;padding:.3rem .5rem;border:1px solid var(--line);border-radius:.4rem;background:var(--card);color:var(--ink);width:min(22rem,60vw)}
main{padding-bottom:3rem}
@media print{body{background:#fff}.tools{display:none}details{display:block}article,.wide,.tile{border-color:#bbb}}
"""

SCRIPT = """
(function(){var t=document.getElementById('findings');if(!t)return;var b=t.tBodies[0],rows=[].slice.call(b.rows),f=document.getElementById('filter'),s=document.getElementById('shown');
document.querySelector('.tools').hidden=false;
f.addEventListener('input',function(){var q=f.value.toLowerCase(),n=0;rows.forEach(function(r){var on=r.textContent.toLowerCase().indexOf(q)>=0;r.hidden=!on;n+=on});s.textContent=q?n+' of '+rows.length:''});
[].forEach.call(t.tHead.rows[0].cells,function(h,i){var k=document.createElement('button');k.textContent=h.textContent;h.textContent='';h.appendChild(k);var up=i!==0&&i!==4;
k.addEventListener('click',function(){[].forEach.call(t.tHead.rows[0].cells,function(o){o.removeAttribute('aria-sort')});h.setAttribute('aria-sort',up?'ascending':'descending');
rows.sort(function(x,y){var a=x.cells[i].dataset.sort||x.cells[i].textContent,c=y.cells[i].dataset.sort||y.cells[i].textContent;var d=isNaN(a)||isNaN(c)?a.localeCompare(c):a-c;return up?d:-d});up=!up;rows.forEach(function(r){b.appendChild(r)})})})})();
"""
