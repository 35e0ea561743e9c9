/** How convolutions are put together for an engine. */
export interface Composition {
  /** Where channels are added to a value there are so many that it has a multiple of this; 1 where the engine does not mind. */
  readonly channelMultiple: number;
}
