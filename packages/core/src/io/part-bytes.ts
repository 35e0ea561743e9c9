/** Of a file that is copied or hashed, at once: less costs more in calls than in the work itself. */
export const partBytes = 1_048_576;
