export { contextOf, type EventContext, type TemplateContext } from './context.js';
export { templateField } from './field.js';
export type { PlaceOf } from './json-place.js';
export { anyValue, type JsonTemplate, parseJsonTemplate } from './json-template.js';
export { parseJsonText } from './json-text.js';
export { escapeFor, type Place } from './place.js';
export { countOf, cutText, type EventSummary, fitting, summaryOf } from './summary.js';
export { parseTemplate, type Template } from './template.js';
export { turning, visibleLine, visibleText } from './visible-text.js';
