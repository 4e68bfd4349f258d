import { SetMetadata } from '@nestjs/common';

/** Metadata key of {@link TicketAllowed}. */
export const TICKET_ROUTE = Symbol('TicketRoute');

/**
 * Lets a route be read with a stream ticket in `?ticket=` where there is no Bearer. It must only read, and its path must
 * have `:streamId`: the ticket has to be for that stream.
 */
export const TicketAllowed = () => SetMetadata(TICKET_ROUTE, true);
