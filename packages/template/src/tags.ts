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

/** Tags that read other templates from files, or are used by such templates. */
const reading = ['include', 'render', 'layout', 'block'];

/** Replaces tags of an engine, so that none reads a file and every output is escaped once. */
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

/** Keeps captured text with its values marked. liquidjs would keep a plain string and escape it a second time. */
class KeepingTag extends CaptureTag {
  override *render(context: Context): Generator<unknown, void, string> {
    const text = yield this.liquid.renderer.renderTemplates(this.templates, context, textEmitter());
    context.memoryLimit.use(text.length);
    Reflect.set(context.bottom(), this.variable, new Rendered(text));
  }
}

/** Emits the value itself. liquidjs' tag would convert it to text before it is escaped. */
class ShowingTag extends EchoTag {
  override *render(context: Context, emitter: Emitter): Generator<unknown, void, unknown> {
    const { value } = this as unknown as { value?: Value };
    if (value) emitter.write(new Shown(yield value.value(context, false)));
  }
}
