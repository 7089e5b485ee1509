import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Channel, delivered, failed, rejected } from '@posthorn/core';
import { z } from 'zod';

const configs = z.strictObject({ file: z.string().regex(/^[a-z0-9-]{1,40}$/) });

/** Appends each event as a line to a file in `folder`: a channel called `file`. */
export function fileChannel(folder: string): Channel<z.infer<typeof configs>> {
  return {
    type: 'file',
    config: configs,
    async send({ event, payload, configs: { file } }, signal) {
      const line = JSON.stringify({ id: event.id, type: event.type, payload });
      try {
        await writeFile(join(folder, `${file}.ndjson`), `${line}\n`, { flag: 'a', signal });
        return delivered();
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        // A read-only place will not become writable by waiting; a full one may.
        return code === 'EROFS' ? rejected('config', message) : failed('channel_error', message);
      }
    },
  };
}
