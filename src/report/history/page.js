const orders = JSON.parse(document.getElementById('orders').textContent);
const ops = new Map([...document.querySelectorAll('.op')].map(g => [g.dataset.op, g]));
const list = document.getElementById('order');
const about = document.getElementById('about');
const buttons = [...document.querySelectorAll('button[data-order]')];
let chosen = 0;

// Shows an order: numbers on its bars, and its steps with the state after each.
function show(n) {
  for (const g of ops.values()) g.classList.remove('in', 'far');
  buttons.forEach((b, k) => b.setAttribute('aria-pressed', String(k === n)));
  list.textContent = '';
  const order = orders[n];
  if (!order) return;
  for (const g of ops.values()) g.classList.add('far');
  order.steps.forEach(([op, text, state], k) => {
    const g = ops.get(String(op));
    if (g) {
      g.classList.remove('far');
      g.classList.add('in');
      g.querySelector('.turn').textContent = String(k + 1);
    }
    const item = document.createElement('li');
    item.textContent = text + ': ' + state;
    list.append(item);
  });
  for (const [op, why] of order.refused) {
    const g = ops.get(String(op));
    if (g) g.classList.remove('far');
    const item = document.createElement('li');
    item.className = 'no';
    item.textContent = why;
    list.append(item);
  }
}

buttons.forEach((b, k) => b.addEventListener('click', () => { chosen = k; show(k); }));
for (const [op, g] of ops) {
  g.addEventListener('mouseenter', () => {
    about.textContent = g.querySelector('title').textContent;
    const has = o => o.steps.some(s => String(s[0]) === op) || o.refused.some(r => String(r[0]) === op);
    const n = has(orders[chosen] || { steps: [], refused: [] }) ? chosen : orders.findIndex(has);
    if (n >= 0) show(n);
  });
  g.addEventListener('mouseleave', () => show(chosen));
}
show(chosen);
