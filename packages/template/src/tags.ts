import {
  CaptureTag,
  type Context,
  EchoTag,
  type Emitter,
  type Liquid,
  Tag,
  type TagToken,
  type TopLevelToken,
  tags,
  type Value,
} from 'liquidjs';
import { Rendered, Shown, textEmitter } from './shown.js';

/** They read files, or wait for somebody who does. */
const reading = ['include', 'render', 'layout', 'block'];

/** Makes an engine's tags ours: none reads a file, and all that is shown is escaped, once. */
export function registerTags(engine: Liquid): void {
  for (const name of Object.keys(tags)) {
    if (reading.includes(name)) engine.registerTag(name, RefusedTag);
  }
  engine.registerTag('capture', KeepingTag);
  engine.registerTag('echo', ShowingTag);
}

class RefusedTag extends Tag {
  constructor(token: TagToken, remaining: TopLevelToken[], engine: Liquid) {
    super(token, remaining, engine);
    throw new Error(`refused tag: ${token.name}`);
  }

  *render(): Generator<never, void> {}
}

/** liquidjs keeps what was captured as text that anything may come of, and would escape it a second time. */
class KeepingTag extends CaptureTag {
  override *render(context: Context): Generator<unknown, void, string> {
    const text = yield this.liquid.renderer.renderTemplates(this.templates, context, textEmitter());
    context.memoryLimit.use(text.length);
    Reflect.set(context.bottom(), this.variable, new Rendered(text));
  }
}

/** liquidjs forgets here what a value is, before it is escaped. */
class ShowingTag extends EchoTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void, unknown> {
    const { value } = this as unknown as { value?: Value };
    if (value) emitter.write(new Shown(yield value.value(context, false)));
  }
}
