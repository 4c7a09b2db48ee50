/** The dendrogram over a heat map, from SciPy's linkage rows whose leaves are already in order. */

/**
 * @param {number[][]} merges two clusters, the height at which they join, and how many they hold
 * @param {number} leaves
 * @returns {[number, number, number, number, number][]} per merge: left and right middle, their heights, its height;
 *   middles count leaves from 0, heights are shares of the tallest
 */
export function joints(merges, leaves) {
  const middle = Array.from({ length: leaves }, (_, i) => i + 0.5);
  const height = Array(leaves).fill(0);
  const tallest = Math.max(...merges.map((row) => row[2]), 1e-9);
  return merges.map(([a, b, tall]) => {
    const [left, right] = middle[a] <= middle[b] ? [a, b] : [b, a];
    const share = tall / tallest;
    middle.push((middle[left] + middle[right]) / 2);
    height.push(share);
    return [middle[left], middle[right], height[left], height[right], share];
  });
}

/** Draw it with the leaves at the bottom of a box. */
export function drawTree(pen, merges, leaves, { left, top, width, height }, colour) {
  if (merges.length !== leaves - 1) return;
  const [x, y] = [(place) => left + (width * place) / leaves, (share) => top + height * (1 - share)];
  pen.beginPath();
  for (const [a, b, under, beneath, over] of joints(merges, leaves)) {
    pen.moveTo(x(a), y(under));
    pen.lineTo(x(a), y(over));
    pen.lineTo(x(b), y(over));
    pen.lineTo(x(b), y(beneath));
  }
  Object.assign(pen, { strokeStyle: colour, lineWidth: 1 });
  pen.stroke();
}
