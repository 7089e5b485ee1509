import { scopes } from '@posthorn/core';
import { posthorn } from '../../posthorn.js';

/** A key for a customer, shown once. In a real application only for whoever is signed in as that customer. */
export async function POST(request: Request): Promise<Response> {
  const { tenant } = (await request.json()) as { tenant: string };
  const { key } = await posthorn.apiKeys.create({ tenantId: tenant, name: 'Mine', scopes: [...scopes] });
  return Response.json({ key }, { status: 201 });
}
