import { createApi } from '@posthorn/api';
import { posthorn } from '../../../../posthorn.js';

const api = createApi(posthorn);

export { api as DELETE, api as GET, api as POST, api as PUT };
