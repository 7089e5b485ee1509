/**
 * The text of a member of an object, as it stands in the object's JSON text; of several of that name the last, which is
 * the one that JSON.parse takes. `json` must be the valid JSON of an object. Undefined where it has no such member.
 */
export function memberText(json: string, name: string): string | undefined {
  let found: string | undefined;
  let at = pastSpace(json, json.indexOf('{') + 1);
  while (json[at] !== '}') {
    const nameEnd = valueEnd(json, at);
    const member: string = JSON.parse(json.slice(at, nameEnd));
    const start = pastSpace(json, pastSpace(json, nameEnd) + 1);
    const end = valueEnd(json, start);
    if (member === name) found = json.slice(start, end);
    at = pastSpace(json, end);
    if (json[at] === ',') at = pastSpace(json, at + 1);
  }
  return found;
}

function pastSpace(json: string, at: number): number {
  let end = at;
  while (/[ \t\n\r]/.test(json[end]!)) end++;
  return end;
}

/** Where the value that begins at `start` ends. */
function valueEnd(json: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    const character = json[at]!;
    if (character === '"') at = stringEnd(json, at);
    else if (depth === 0 && !/[[{]/.test(character)) return plainEnd(json, at);
    else {
      if (/[[{]/.test(character)) depth++;
      else if (/[\]}]/.test(character)) depth--;
      at++;
    }
  } while (depth > 0);
  return at;
}

/** Where a number, true, false or null ends. */
function plainEnd(json: string, start: number): number {
  let at = start;
  while (/[^,\]} \t\n\r]/.test(json[at]!)) at++;
  return at;
}

function stringEnd(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}
