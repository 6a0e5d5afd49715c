/**
 * The indexes of a longest ascending run of pairs, in any gaps; pairs with an empty first part take no part.
 *
 * Cells outside of it are those that moved.
 */
export function longestIncreasing(pairs: readonly (readonly [string, string])[]): Set<number> {
  const ends: number[] = []; // by length of the run: the index of its smallest last pair
  const previous: number[] = new Array<number>(pairs.length).fill(-1);
  pairs.forEach((pair, index) => {
    if (pair[0] === '') {
      return;
    }
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(pairs[ends[middle]], pair)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    previous[index] = low > 0 ? ends[low - 1] : -1;
    ends[low] = index;
  });
  const run = new Set<number>();
  for (let at = ends.length > 0 ? ends[ends.length - 1] : -1; at >= 0; at = previous[at]) {
    run.add(at);
  }
  return run;
}

/** The order of cells: by position, then by id. */
export function isBefore(a: readonly [string, string], b: readonly [string, string]): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}
