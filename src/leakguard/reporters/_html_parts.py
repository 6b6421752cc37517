"""Style and script of the HTML report."""

STYLE = """
:root{color-scheme:light dark;--bg:#f7f7f5;--card:#fff;--ink:#1c1d21;--soft:#5b5f68;--line:#dcdde1;--mark:#ffe2dd;--markink:#8c1d0f;--critical:#a4130b;--high:#b4410b;--medium:#7a5b00;--low:#2a5f8f;--good:#1b6b3a;--code:#f0f0ed}
@media (prefers-color-scheme:dark){:root{--bg:#16171b;--card:#1f2026;--ink:#ececf0;--soft:#a6aab5;--line:#363842;--mark:#55201a;--markink:#ffc9c0;--critical:#ff8a80;--high:#ffa270;--medium:#e6c455;--low:#8ec1f0;--good:#77d39a;--code:#282a31}}
*{box-sizing:border-box}[hidden]{display:none!important}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main{max-width:72rem;margin:0 auto;padding:1.25rem 1.25rem 0}
header{padding-bottom:0}
header p{margin:.25rem 0;color:var(--soft);overflow-wrap:anywhere}.brand{font-weight:600;letter-spacing:.02em}
h1{font-size:1.75rem;line-height:1.2;margin:.25rem 0 .5rem;text-wrap:balance}h2{font-size:1.2rem;margin:2rem 0 .75rem}h3{font-size:1.05rem;margin:0 0 .4rem}h3 code{font-weight:400;margin-left:.35rem}
.bad h1{color:var(--critical)}.warn h1{color:var(--medium)}.good h1{color:var(--good)}
.bar{display:flex;height:.4rem;border-radius:.3rem;overflow:hidden;background:var(--line);margin:.9rem 0 .4rem}.bar i{display:block}.ok{background:var(--good)}.chosen{background:var(--soft)}.missed{background:var(--critical)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr));gap:.75rem}
.tile{font:inherit;color:inherit;text-align:left;text-decoration:none;background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--soft);border-radius:.5rem;padding:.75rem 1rem}
button.tile:enabled,a.tile{cursor:pointer}button.tile:enabled:hover,a.tile:hover,.tile[aria-pressed=true]{background:var(--code)}.tile[aria-pressed=true]{border-color:currentColor}
.tile b{display:block;font-size:1.8rem;line-height:1.1}.tile span{color:var(--soft)}.tile.none b{color:var(--soft);font-weight:400}
.tile.critical,article.critical{border-left-color:var(--critical)}.tile.high,article.high{border-left-color:var(--high)}.tile.medium,article.medium{border-left-color:var(--medium)}.tile.low,article.low{border-left-color:var(--low)}
.wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
table{border-collapse:collapse;width:100%;font-size:.93rem}th,td{text-align:left;padding:.55rem .75rem;border-bottom:1px solid var(--line);vertical-align:top}tbody tr:last-child td{border-bottom:0}tbody tr:hover{background:var(--code)}
th{color:var(--soft);font-weight:600;white-space:nowrap}th button{all:unset;cursor:pointer}th[aria-sort=ascending] button:after{content:" ↑"}th[aria-sort=descending] button:after{content:" ↓"}
:is(button,a,summary,input,.wide,pre):focus-visible{outline:2px solid var(--low);outline-offset:2px}
a{color:inherit;text-underline-offset:.2em}code,pre,.path{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em}.path{overflow-wrap:anywhere}td code{white-space:nowrap}small{color:var(--soft)}
.chip{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:0 .55rem;font-size:.82rem;color:var(--soft);white-space:nowrap}.chip.critical{color:var(--critical)}.chip.high{color:var(--high)}.chip.medium{color:var(--medium)}.chip.low{color:var(--low)}
article{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--soft);border-radius:.5rem;padding:1rem;margin:0 0 1rem;break-inside:avoid;scroll-margin-top:1rem}article:target{box-shadow:0 0 0 2px var(--low)}
article p{margin:.35rem 0}pre{background:var(--code);border-radius:.4rem;padding:.6rem .75rem;overflow-x:auto;margin:.5rem 0;line-height:1.6}pre span,pre em{color:var(--soft);user-select:none}pre em{font-style:normal}
mark{background:var(--mark);color:var(--markink);border-radius:.2rem;padding:0 .15rem}
details{margin:.4rem 0}summary{cursor:pointer;color:var(--soft)}ul,ol{margin:.4rem 0;padding-left:1.4rem}.reasons,.next{list-style:none;padding-left:.2rem}.reasons b{display:inline-block;width:3.6rem;font-variant-numeric:tabular-nums}
.next{border-top:1px solid var(--line);margin-top:.7rem;padding-top:.6rem;font-size:.93rem}.next code{background:var(--code);border-radius:.25rem;padding:.1rem .35rem}
.tools input{font:inherit;padding:.3rem .5rem;border:1px solid var(--line);border-radius:.4rem;background:var(--card);color:var(--ink);width:min(22rem,60vw)}
main{padding-bottom:3rem}
@media (max-width:44rem){header,main{padding-left:.75rem;padding-right:.75rem}h1{font-size:1.4rem}.tiles{grid-template-columns:repeat(3,1fr);gap:.5rem}.tile{padding:.5rem .6rem}.tile b{font-size:1.4rem}
#findings thead{display:none}#findings tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}#findings td{display:inline-block;border:0;padding:.1rem .75rem}#findings td:nth-child(2),#findings td:nth-child(4){display:block}}
@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--mark:#eee;--markink:#000;--critical:#a4130b;--high:#b4410b;--medium:#7a5b00;--low:#2a5f8f;--good:#1b6b3a;--code:#f4f4f4}
.tools,.data{display:none}body{font-size:11pt}header,main{max-width:none;padding:0}pre{white-space:pre-wrap;overflow-wrap:anywhere}.wide{overflow:visible}tr{break-inside:avoid}}
"""

SCRIPT = """
(function(){var d=document,$=function(i){return d.getElementById(i)},all=function(s){return [].slice.call(d.querySelectorAll(s))},t=$('findings');
var shut=[];addEventListener('beforeprint',function(){shut=all('details:not([open]):not(.data)');shut.forEach(function(x){x.open=true})});addEventListener('afterprint',function(){shut.forEach(function(x){x.open=false})});
if(!t)return;var b=t.tBodies[0],rows=[].slice.call(b.rows),f=$('filter'),s=$('shown'),tiles=all('button.tile'),only='';
d.querySelector('.tools').hidden=false;
function show(){var q=f.value.toLowerCase(),n=0;rows.forEach(function(r){var c=$('f'+r.dataset.n),on=(!only||r.dataset.s===only)&&r.textContent.toLowerCase().indexOf(q)>=0;r.hidden=!on;if(c)c.hidden=!on;n+=on});s.textContent=q||only?n+' of '+rows.length:'';tiles.forEach(function(k){k.setAttribute('aria-pressed',k.dataset.s===only)})}
f.addEventListener('input',show);
tiles.forEach(function(k){if(k.classList.contains('none'))return;k.disabled=false;k.title='Show only these';k.setAttribute('aria-pressed',false);k.addEventListener('click',function(){only=only===k.dataset.s?'':k.dataset.s;show()})});
d.addEventListener('keydown',function(e){if(e.key==='/'&&d.activeElement!==f){e.preventDefault();f.focus()}if(e.key==='Escape'&&(f.value||only)){f.value=only='';show()}});
[].forEach.call(t.tHead.rows[0].cells,function(h,i){var k=d.createElement('button'),up=i!==0&&i!==4;k.textContent=h.textContent;h.textContent='';h.appendChild(k);
k.addEventListener('click',function(){[].forEach.call(t.tHead.rows[0].cells,function(o){o.removeAttribute('aria-sort')});h.setAttribute('aria-sort',up?'ascending':'descending');
rows.sort(function(x,y){var a=x.cells[i].dataset.sort||x.cells[i].textContent,c=y.cells[i].dataset.sort||y.cells[i].textContent,o=isNaN(a)||isNaN(c)?a.localeCompare(c):a-c;return up?o:-o});up=!up;rows.forEach(function(r){b.appendChild(r)})})})})();
"""
