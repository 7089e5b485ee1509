/*
 * How a pattern narrowly misses an event type. This runs for hundreds of thousands of patterns in a row: it walks along
 * the segments of each pattern once, makes a text only for the one that is shown, and builds no regular expression from
 * user input.
 */

/** How a pattern misses a type. */
export interface NearMiss {
  /** 0 is the nearest. */
  readonly distance: number;
  /** Describes the difference in words, with the segment. */
  readonly describe: () => string;
}

const distances = { case: 0, letter: 1, beginning: 2, segment: 3, length: 4, nothingInCommon: 5 };

/**
 * Returns a function that tells how a pattern misses `type`: in case only, in one segment, by one segment too many or
 * too few, or because `.*` is missing at its end. It returns undefined for a pattern that differs by more, or covers
 * the type.
 */
export function findNearMisses(type: string): (pattern: string) => NearMiss | undefined {
  const given = type.split('.');

  const otherSegment = (wanted: readonly string[], i: number): string =>
    `segment ${i + 1} is ${wanted[i]}, not ${given[i]}`;

  /** Compares a pattern that has as many segments as the type. */
  function otherSegments(wanted: readonly string[]): NearMiss | undefined {
    const wrong: number[] = [];
    let isCase = true;
    let hasCommon = false;
    for (let i = 0; i < wanted.length; i++) {
      if (wanted[i] === given[i]) hasCommon = true;
      else if (wanted[i] !== '*') {
        wrong.push(i);
        isCase &&= wanted[i]!.toLowerCase() === given[i]!.toLowerCase();
        if (!isCase && wrong.length > 1) return undefined;
      }
    }
    const [first] = wrong;
    if (first === undefined) return undefined;
    if (isCase) {
      const describe = () => `${wrong.map((i) => otherSegment(wanted, i)).join(', ')}: case counts`;
      return { distance: distances.case, describe };
    }
    const isLetter = differInOneLetter(wanted[first]!, given[first]!);
    const kind = isLetter ? 'letter' : hasCommon ? 'segment' : 'nothingInCommon';
    return { distance: distances[kind], describe: () => otherSegment(wanted, first) };
  }

  /** Compares a pattern with more or fewer segments than the type. */
  function otherLength(wanted: readonly string[]): NearMiss | undefined {
    const shorter = Math.min(wanted.length, given.length);
    const surplus = wanted.length - given.length;
    const fits = (i: number, other: number): boolean => wanted[i] === '*' || wanted[i] === given[other];
    let head = 0;
    while (head < shorter && fits(head, head)) head++;
    if (head === wanted.length) {
      const describe = () => `it ends after segment ${head}: ${wanted.join('.')}.* would cover it`;
      return { distance: distances.beginning, describe };
    }
    if (Math.abs(surplus) > 1) return undefined;
    let tail = 1;
    while (tail <= shorter && fits(wanted.length - tail, given.length - tail)) tail++;
    if (head + tail - 1 < shorter) return undefined;
    if (surplus < 0) {
      const describe = () => `segment ${head + 1}, ${given[head]}, is missing in it`;
      return { distance: distances.length, describe };
    }
    const hasCommon = wanted.some((part, i) => part !== '*' && i !== head);
    return {
      distance: hasCommon ? distances.length : distances.nothingInCommon,
      describe: () => `its segment ${head + 1}, ${wanted[head]}, is one too many`,
    };
  }

  return (pattern) => {
    const wanted = pattern.split('.');
    // A final `*` stands for all the segments that follow.
    const isAsLong =
      wanted.length === given.length || (wanted.length < given.length && wanted.at(-1) === '*');
    return isAsLong ? otherSegments(wanted) : otherLength(wanted);
  };
}

/** Whether one word becomes the other by inserting, deleting or replacing one letter. */
function differInOneLetter(one: string, other: string): boolean {
  const shorter = Math.min(one.length, other.length);
  const longer = Math.max(one.length, other.length);
  let head = 0;
  while (head < shorter && one[head] === other[head]) head++;
  let tail = 1;
  while (tail <= shorter - head && one[one.length - tail] === other[other.length - tail]) tail++;
  return longer - head - (tail - 1) <= 1;
}
