// Renders the templates of the first argument, each with its payload, and prints the results.
import { parseTemplate } from '@posthorn/template';
import { speakingOf } from './message.js';

const given = JSON.parse(process.argv[2]!) as [source: string, payload: unknown][];
console.log(
  JSON.stringify(
    given.map(([source, payload]) => parseTemplate(source, 'plain').render(speakingOf(payload))),
  ),
);
