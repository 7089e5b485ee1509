export { contextOf, type EventContext, type TemplateContext } from './context.js';
export { templateField } from './field.js';
export { type JsonTemplate, parseJsonTemplate } from './json-template.js';
export { parseJsonText } from './json-text.js';
export type { Place } from './place.js';
export { parseTemplate, type Template } from './template.js';
