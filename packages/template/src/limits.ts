/** How long a template may be, in bytes of UTF-8; of a JSON template, all of its text. */
export const maxSource = 64 * 1024;

/** How many placeholders and tags a template may have; of a JSON template, all of its leaves. */
export const maxParts = 1_000;

/** How much a template may render to, in bytes of UTF-8. */
export const maxOutput = 256 * 1024;

/** How deep a JSON document may go, before and after rendering. */
export const maxDepth = 64;

/** How long one rendering may keep the processor. */
export const renderMs = 100;

/** What one rendering may use: characters and items that filters take and give, and ranges hold. */
export const maxMemory = 2 * 1024 * 1024;
