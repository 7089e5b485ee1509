import { scopes } from '@posthorn/core';
import { posthorn } from '../../posthorn.js';

/**
 * Creates a key for a customer and shows it once. A real application does this only for the customer who is signed in.
 */
export async function POST(request: Request): Promise<Response> {
  const { tenant } = (await request.json()) as { tenant: string };
  const { key } = await posthorn.apiKeys.create({ tenantId: tenant, name: 'Mine', scopes: [...scopes] });
  return Response.json({ key }, { status: 201 });
}
