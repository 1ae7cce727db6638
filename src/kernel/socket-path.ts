/** Maximum length of the path of a Unix socket in bytes. sun_path holds 108 with the final zero. */
export const maxSocketPathBytes = 107;
