# Installs the client library of BUILD into DIR and builds EXAMPLE against it, as another project would.
# Usage: cmake -DBUILD=… -DDIR=… -DEXAMPLE=… -DFLAGS=… -P package_test.cmake
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${DIR})
run(${CMAKE_COMMAND} --install ${BUILD} --component development --prefix ${DIR}/installed)
# Ninja as everywhere here: `make` is not installed for it.
run(${CMAKE_COMMAND} -G Ninja -S ${CMAKE_CURRENT_LIST_DIR}/package -B ${DIR}/consumer -DCMAKE_PREFIX_PATH=${DIR}/installed
    -DEXAMPLE=${EXAMPLE} "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${DIR}/consumer)
