import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { httpChannel } from '@posthorn/channel-http';
import { ShopModule } from './shop.module.js';

const app = await NestFactory.create(ShopModule.with([httpChannel()]), { rawBody: true });
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT ?? 3000));
