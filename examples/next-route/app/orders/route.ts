import { posthorn } from '../../posthorn.js';

/** Places an order. A real application takes the tenant from the session. */
export async function POST(request: Request): Promise<Response> {
  const { tenant, id } = (await request.json()) as { tenant: string; id: string };
  await posthorn.dispatch('order.placed', { id }, { tenantId: tenant });
  return Response.json({ id }, { status: 201 });
}
