/** The same flow for both: rows of fifty steps, each behind the one before it, now and then one behind two. */
export function scene(count) {
  const nodes = Array.from({ length: count }, (_, n) => ({ id: `n${n}`, x: (n % 50) * 288, y: Math.floor(n / 50) * 120, title: `Step ${n}` }));
  const wires = nodes.slice(1).map((node, n) => ({ id: `w${n}`, source: `n${n}`, target: node.id }));
  for (let n = 50; n < count; n += 8) wires.push({ id: `x${n}`, source: `n${n - 50}`, target: `n${n}` });
  return { nodes, wires };
}

/** Milliseconds until the page rests: two frames in a row that come in time. */
export async function settled() {
  const start = performance.now();
  let last = start;
  let calm = 0;
  while (calm < 2) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    const now = performance.now();
    calm = now - last < 34 ? calm + 1 : 0;
    last = now;
    if (now - start > 60_000) throw new Error('The page does not rest.');
  }
  return last - start;
}
