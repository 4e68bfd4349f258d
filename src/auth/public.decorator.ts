import { SetMetadata } from '@nestjs/common';

/** Metadata key of {@link Public}. */
export const PUBLIC_ROUTE = Symbol('PublicRoute');

/** Opens a route, or all of a controller's, to everybody: no token is read there, so none is refused either. */
export const Public = () => SetMetadata(PUBLIC_ROUTE, true);
