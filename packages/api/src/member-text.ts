/**
 * Returns the text of an object's member, as written in the object's JSON text; undefined without such a member. Of
 * several members with that name it is the last, as in JSON.parse. `json` must be the valid JSON of an object.
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

/** The end of the value that begins at `start`. */
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

/** The end of a number, true, false or null. */
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
