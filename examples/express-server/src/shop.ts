import { createApi, toNode } from '@posthorn/api';
import { createDispatcher } from '@posthorn/core';
import { postgresStorage } from '@posthorn/storage-postgres';
import express, { type Express } from 'express';
import type pg from 'pg';

type Channels = Parameters<typeof createDispatcher>[0]['channels'];

/** A shop. Its customers place orders, and manage their own webhooks with API keys from the shop. */
export async function shop(pool: pg.Pool, channels: Channels) {
  const storage = postgresStorage(pool);
  await storage.migrate();
  await pool.query('create table if not exists orders (id text primary key, customer text, total numeric)');
  const posthorn = createDispatcher({ storage, channels });

  const app: Express = express();
  // Mounted before express.json(), so that events which customers dispatch are delivered byte for byte.
  app.use('/v1/organizations', toNode(createApi(posthorn)));
  app.use(express.json());

  app.post('/customers/:customer/orders', async (request, response) => {
    const { customer } = request.params;
    const { id, total } = request.body;
    const tx = await pool.connect();
    try {
      await tx.query('begin');
      await posthorn.dispatch('order.placed', { id, total }, { tx, tenantId: customer });
      await tx.query('insert into orders values ($1, $2, $3)', [id, customer, total]);
      await tx.query('commit'); // stores the order and its event, or neither
      response.status(201).json({ id });
    } catch {
      await tx.query('rollback');
      response.status(409).json({ error: 'there is such an order already' });
    } finally {
      tx.release();
    }
  });
  return { app, posthorn };
}
