import { posthorn } from '../../posthorn.js';

/** An order of the application's own: whose it is, a real one takes from the session. */
export async function POST(request: Request): Promise<Response> {
  const { tenant, id } = (await request.json()) as { tenant: string; id: string };
  await posthorn.dispatch('order.placed', { id }, { tenantId: tenant });
  return Response.json({ id }, { status: 201 });
}
