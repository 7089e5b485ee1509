/** Cap on the source of a template, in bytes of UTF-8. For a JSON template: all its text. */
export const maxSource = 64 * 1024;

/** Cap on placeholders and tags. For a JSON template: of all its strings. */
export const maxParts = 1_000;

/** Cap on the output, in bytes of UTF-8. */
export const maxOutput = 256 * 1024;

/** Cap on the nesting of tags and of JSON, before and after rendering. */
export const maxDepth = 64;

/** Cap on the CPU time of one rendering. */
export const renderMs = 100;

/** Cap on the characters and items that filters read and write and ranges hold, per rendering. */
export const maxMemory = 2 * 1024 * 1024;
