// @ts-check

/**
 * @param {Float32Array} query
 * @param {Int8Array} vectors [count, width] by one scale
 * @param {number} most
 * @returns {number[]} rows of `vectors`, nearest first
 */
export function nearest(query, vectors, most) {
  const width = query.length;
  const scores = new Float32Array(vectors.length / width);
  for (let row = 0, at = 0; row < scores.length; row++) {
    let sum = 0;
    for (let column = 0; column < width; column++) sum += (query[column] ?? 0) * (vectors[at++] ?? 0);
    scores[row] = sum;
  }
  return best(scores, most);
}

/**
 * Plain words, until the model is there: names that begin with the text, names that hold it, then tags.
 * @param {string} text
 * @param {{ name: string, tags: string[] }[]} icons
 * @param {number} most
 */
export function matching(text, icons, most) {
  const wanted = text.toLowerCase();
  const scores = icons.map(({ name, tags }) => {
    const at = name.replaceAll("-", " ").indexOf(wanted);
    return at === 0 ? 3 : at > 0 ? 2 : tags.some((tag) => tag.toLowerCase().includes(wanted)) ? 1 : 0;
  });
  return best(scores, most).filter((row) => scores[row]);
}

/** @param {ArrayLike<number>} scores @param {number} most */
const best = (scores, most) => Array.from(scores, (_, row) => row).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b).slice(0, most);
