import {
  Body,
  Controller,
  type DynamicModule,
  Inject,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type OnModuleDestroy,
  type OnModuleInit,
  Param,
  Post,
} from '@nestjs/common';
import { createApi, toNode } from '@posthorn/api';
import { createDispatcher, type Dispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';

type Channels = Parameters<typeof createDispatcher>[0]['channels'];

/** The injection token of the channels. */
const CHANNELS = Symbol('channels');
/** The injection token of the engine. */
export const POSTHORN = Symbol('posthorn');

@Controller('customers/:customer/orders')
class OrdersController {
  constructor(@Inject(POSTHORN) private readonly posthorn: Dispatcher) {}

  @Post()
  async place(@Param('customer') tenantId: string, @Body() order: { id: string }) {
    await this.posthorn.dispatch('order.placed', order, { tenantId });
    return order;
  }
}

const posthorn = {
  provide: POSTHORN,
  inject: [CHANNELS],
  useFactory: (channels: Channels) => createDispatcher({ storage: memoryStorage(), channels }),
};

@Module({ controllers: [OrdersController], providers: [posthorn], exports: [POSTHORN] })
export class ShopModule implements NestModule, OnModuleInit, OnModuleDestroy {
  constructor(@Inject(POSTHORN) private readonly posthorn: Dispatcher) {}

  static with(channels: Channels): DynamicModule {
    return { module: ShopModule, providers: [{ provide: CHANNELS, useValue: channels }] };
  }
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(toNode(createApi(this.posthorn))).forRoutes('v1/organizations/*path');
  }
  onModuleInit(): void {
    this.posthorn.start();
  }
  async onModuleDestroy(): Promise<void> {
    await this.posthorn.stop();
  }
}
