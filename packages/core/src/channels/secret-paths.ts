/** The path to a secret within configs, field by field. `*` is every field or item. All text below the path is secret. */
export type SecretPath = readonly string[];

/** All of the configs, where it is unknown which parts are secret. */
export const everything: readonly SecretPath[] = [[]];

/** Copies `configs` with each secret text replaced by the result of `change`, which gets the text and its path. */
export function mapSecrets(
  configs: unknown,
  paths: readonly SecretPath[],
  change: (text: string, at: readonly string[]) => string,
): unknown {
  const changeText = (value: unknown, at: readonly string[]) =>
    typeof value === 'string' ? change(value, at) : value;
  return paths.reduce((copy, path) => mapAt(copy, path, [], changeText), configs);
}

/** Returns the secret texts in `configs`. */
export function secretTexts(configs: unknown, paths: readonly SecretPath[]): string[] {
  const texts: string[] = [];
  mapSecrets(configs, paths, (text) => {
    texts.push(text);
    return text;
  });
  return texts;
}

/** Returns the paths of numbers below the secret paths: a number can be neither encrypted nor masked. */
export function secretNumbers(configs: unknown, paths: readonly SecretPath[]): (readonly string[])[] {
  const places: (readonly string[])[] = [];
  for (const path of paths) {
    mapAt(configs, path, [], (value, at) => {
      if (typeof value === 'number') places.push(at);
      return value;
    });
  }
  return places;
}

/** Configs that nest deeper are refused before anything walks them. */
export const maxConfigDepth = 64;

/** Whether objects and arrays nest deeper than that. A circular reference does. */
export function isTooDeep(configs: unknown): boolean {
  let level: ReadonlySet<object> = objectsIn([configs]);
  for (let depth = 0; depth < maxConfigDepth && level.size > 0; depth++) {
    level = objectsIn([...level].flatMap((value) => Object.values(value)));
  }
  return level.size > 0;
}

const objectsIn = (values: readonly unknown[]): Set<object> =>
  new Set(values.filter((value) => typeof value === 'object' && value !== null));

function mapAt(
  value: unknown,
  path: SecretPath,
  at: readonly string[],
  change: (value: unknown, at: readonly string[]) => unknown,
): unknown {
  if (typeof value !== 'object' || value === null) return path.length === 0 ? change(value, at) : value;
  const [wanted = '*', ...rest] = path;
  const entry = ([key, item]: [string, unknown]): [string, unknown] => [
    key,
    wanted === '*' || wanted === key ? mapAt(item, rest, [...at, key], change) : item,
  ];
  if (Array.isArray(value)) return Object.entries(value).map((item) => entry(item)[1]);
  return Object.fromEntries(Object.entries(value).map(entry));
}
